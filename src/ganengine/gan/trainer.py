"""GAN: a recipe's two networks and the step that trains them, captured once and replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ganengine import backend, kernels
from ganengine.backend import Array
from ganengine.capture import Program, capture
from ganengine.gan.losses import discriminator_loss, generator_loss
from ganengine.nn import BatchNorm, Sequential
from ganengine.optim import SGD, Adam
from ganengine.random import Counter, Generator
from ganengine.recipes import Recipe
from ganengine.reference.random import Offset
from ganengine.tape import no_grad
from ganengine.tensor import Tensor

METRICS = ("d_loss", "g_loss", "d_real", "d_fake")

_HISTORY = 1024  # steps that the device remembers between two reads


class GAN:
    """A generator and a discriminator, trained by replaying one captured step.

    Everything a step needs lives on the device: the data set as uint8, the random stream, Adam's
    step count, the position in the shuffled data, the history of losses. A replay takes nothing
    from the host.

    Args:
        recipe: what to train.
        seed: of the initial weights, the noise, dropout and the order of the data.
        device: ``"cpu"`` or ``"cuda"``.

    Example:
        >>> from ganengine import GAN, recipes
        >>> from ganengine.data import drawn_digits
        >>> gan = GAN(recipes.get("mlp-128"), seed=1)
        >>> gan.attach(drawn_digits(200).images)
        >>> gan.train(2).shape
        (2, 4)
        >>> gan.sample(5).shape
        (5, 1, 28, 28)
    """

    def __init__(self, recipe: Recipe, *, seed: int = 0, device: str = "cpu"):
        self.recipe = recipe
        self.seed = seed
        self.device = device
        self.step = 0
        self.generator = self._build(recipe.generator, 0)
        self.discriminator = self._build(recipe.discriminator, 1)
        self.noise = Generator(seed, device)
        self.discriminator.use_generator(self.noise)
        self.generator.use_generator(self.noise)
        self.average = self._build(recipe.generator, 0) if recipe.ema_decay is not None else None
        self.g_optimizer = self._optimizer(self.generator)
        self.d_optimizer = self._optimizer(self.discriminator)
        self.position = Counter(device)  # images drawn so far
        self.steps_done = Counter(device)
        self.history = self._place(np.zeros((_HISTORY, len(METRICS)), "float32"))
        batch = recipe.batch_size
        labels = np.zeros((2 * batch, 1), "float32")
        labels[:batch] = recipe.real_label
        self._labels = self._place(labels)
        shape = (int(np.prod(recipe.image_shape)),) if recipe.flat else recipe.image_shape
        self._batch = self._place(np.zeros((2 * batch, *shape), "float32"))
        self._batch_labels = self._place(np.zeros((2 * batch, recipe.classes), "float32"))
        self._images: Array | None = None
        self._one_hot: Array | None = None
        self._steps_per_epoch = 1
        self.data_spread = 1.0
        self._program: Program | None = None

    def attach(
        self, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any] | None = None
    ) -> None:
        """Make a data set resident and capture the training step on it.

        Args:
            images: uint8 (N, C, H, W) of the recipe's image shape.
            labels: integers (N,), which a conditional recipe needs.

        Raises:
            TypeError: images are not uint8.
            ValueError: images have another shape, or there are none; labels are missing, too few
                or none of the recipe's classes.
        """
        shape = self.recipe.image_shape
        if images.dtype != "uint8":
            raise TypeError(f"images must be uint8, got {images.dtype}")
        if images.ndim != 4 or images.shape[1:] != shape or len(images) == 0:
            raise ValueError(
                f"images must have shape (N, {', '.join(map(str, shape))}) with N at "
                f"least 1, got {images.shape}"
            )
        used = images[: self.recipe.train_images]
        used = np.ascontiguousarray(used).reshape(len(used), *self._batch.shape[1:])
        one_hot = self._check_labels(labels, len(images))
        self._images = self._place(used)
        self._one_hot = self._place(one_hot[: len(used)])
        self._steps_per_epoch = self.recipe.steps_per_epoch(len(images))
        # How much a pixel differs from image to image, for telling collapse from variety.
        self.data_spread = max(float((used[:1000] / 255.0).std(axis=0).mean()), 1e-6)
        self._use_rates()
        self._capture()

    def _capture(self) -> None:
        networks = [self.generator, self.discriminator, self.g_optimizer, self.d_optimizer]
        if self.average is not None:
            networks.append(self.average)
        counters = [self.noise, self.position, self.steps_done, self.history]
        data = [self._images, self._one_hot, self._labels, self._batch, self._batch_labels]
        self._program = capture(self._step, [*networks, *counters, *data])

    def _use_rates(self) -> bool:
        """Give the optimisers the rates of this epoch; whether they changed."""
        if self.recipe.schedule is None:
            return False
        rates = self.recipe.schedule(self.step // self._steps_per_epoch, self._steps_per_epoch)
        changed = False
        for optimizer in (self.g_optimizer, self.d_optimizer):
            for name, value in rates._asdict().items():
                if getattr(optimizer, name, value) != value:
                    setattr(optimizer, name, value)
                    changed = True
        return changed

    def _check_labels(self, labels: np.ndarray[Any, Any] | None, count: int) -> Array:
        """The labels one-hot, uint8 (N, classes)."""
        classes = self.recipe.classes
        if not classes:
            return np.zeros((count, 0), "uint8")
        if labels is None:
            raise ValueError(f"labels must be given: {self.recipe.name} is conditional")
        if labels.shape != (count,) or labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"labels must be {count} integers from 0 to {classes - 1}, got shape "
                f"{labels.shape} from {labels.min()} to {labels.max()}"
            )
        return np.eye(classes, dtype="uint8")[labels]

    @property
    def program(self) -> Program:
        """The captured training step."""
        if self._program is None:
            raise RuntimeError("no data yet: call attach(images) first")
        return self._program

    def train(self, steps: int) -> Array:
        """Run ``steps`` training steps.

        Returns:
            float32 (steps, 4): after each step d_loss, g_loss, mean D(x), mean D(G(z)).

        Raises:
            RuntimeError: no data was attached.
        """
        program = self.program
        history = np.empty((steps, len(METRICS)), "float32")
        done = 0
        while done < steps:
            count = min(_HISTORY, steps - done)
            if self.recipe.schedule is not None:  # its rates hold for one epoch
                if self._use_rates():
                    self._capture()
                    program = self.program
                count = min(count, self._steps_per_epoch - self.step % self._steps_per_epoch)
            program.run(count)
            rows = np.arange(self.step, self.step + count) % _HISTORY
            history[done : done + count] = backend.to_device(self.history, "cpu")[rows]
            self.step += count
            done += count
        return history

    def sample(
        self, count: int, *, seed: int = 0, averaged: bool = True, label: int | None = None
    ) -> Array:
        """Generate images, without touching the state of training.

        Args:
            count: how many.
            seed: of the noise; the same seed gives the same images.
            averaged: from the averaged generator, if the recipe has one.
            label: of all images of a conditional GAN; None takes one label after the other.

        Returns:
            float32 (count, C, H, W) in [0, 1] on the host.

        Raises:
            ValueError: the recipe has no such label.
        """
        labels = self._sample_labels(count, label)
        network = self.average if averaged and self.average is not None else self.generator
        low, high = self.recipe.value_range
        network.eval()
        with no_grad():
            z = self._latent(Generator(seed, self.device), count)
            images = backend.to_device(network(Tensor(z), labels).data, "cpu")
        network.train()
        unit = np.clip((images - low) / (high - low), 0.0, 1.0)
        return unit.reshape(count, *self.recipe.image_shape)

    def _sample_labels(self, count: int, label: int | None) -> Tensor | None:
        classes = self.recipe.classes
        if label is not None and not 0 <= label < classes:
            known = f"labels 0 to {classes - 1}" if classes else "no labels"
            raise ValueError(f"label is {label}; {self.recipe.name} has {known}")
        if not classes:
            return None
        chosen = np.arange(count) % classes if label is None else np.full(count, label)
        return Tensor(self._place(np.eye(classes, dtype="float32")[chosen]))

    def step_inputs(self) -> tuple[Array, Array]:
        """What the next step will draw first: its real batch and its noise, on the host.

        For comparing with another engine; a recipe that draws more per step (dropout, several
        discriminator steps, separate noise) continues the same streams.
        """
        noise = Generator(self.seed, self.device)
        noise.blocks.value[...] = self.noise.blocks.value
        images = self._draw_images((self.position.value, 0), None)
        z = self._latent(noise, self.recipe.batch_size)
        return backend.to_device(images, "cpu"), backend.to_device(z, "cpu")

    def state_dict(self) -> dict[str, Array]:
        """Everything that a bit-exact continuation needs, as NumPy arrays (copies)."""
        return {name: np.array(backend.to_device(a, "cpu")) for name, a in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: a name, shape or dtype does not fit; nothing was changed.
        """
        own = self._state()
        missing, unknown = own.keys() - state.keys(), state.keys() - own.keys()
        if missing or unknown:
            raise ValueError(
                f"state does not fit {self.recipe.name}: missing {sorted(missing)}, "
                f"unknown {sorted(unknown)}"
            )
        for name, array in own.items():
            if state[name].shape != array.shape or state[name].dtype != array.dtype:
                raise ValueError(
                    f"state[{name!r}] must be {array.dtype} {array.shape}, "
                    f"got {state[name].dtype} {state[name].shape}"
                )
        for name, array in own.items():
            array[...] = backend.to_device(state[name], self.device)
        self.step = int(self.steps_done.value[0])

    def _step(self) -> None:
        recipe, batch = self.recipe, self.recipe.batch_size
        for _ in range(recipe.d_steps):
            labels = self._draw_batch()
            z = self._latent(self.noise, batch)
            if recipe.same_noise:
                fake = self.generator.forward(Tensor(z), labels, out=self._batch[batch:])
            else:
                with no_grad():
                    fake = self.generator.forward(Tensor(z), labels, out=self._batch[batch:])
            d_loss, logits = self._update_discriminator(labels)
        if not recipe.same_noise:
            z = self._latent(self.noise, recipe.g_batch_size or batch)
            fake = self.generator(Tensor(z), labels)
        g_loss = generator_loss(self.discriminator, fake, recipe.loss, labels)
        self.generator.zero_grad()
        g_loss.backward(inputs=self.generator.parameters())
        self.g_optimizer.step()
        self._update_average()
        row = self.steps_done.take(1)
        kernels.record((d_loss.data, g_loss.data), logits, self.history, row)

    def _update_discriminator(self, labels: Tensor | None) -> tuple[Tensor, tuple[Array, Array]]:
        """Update D on the batch: its loss (real plus fake part), and its logits on both parts."""
        recipe, batch = self.recipe, self.recipe.batch_size
        halves = (self._batch[:batch], recipe.real_label), (self._batch[batch:], 0.0)
        if not recipe.separate_updates and not self._discriminator_has_batch_norm():
            # The mean runs over twice the batch, so two of it are the sum of both parts' means.
            both = Tensor(self._batch_labels) if recipe.classes else None
            loss, logits = discriminator_loss(
                self.discriminator, Tensor(self._batch), self._labels, both, scale=2.0
            )
            self._descend(loss)
            return loss, (logits[:batch], logits[batch:])
        # Batch statistics must not mix real and generated images.
        losses, verdicts = [], []
        for images, target in halves:
            loss, logits = discriminator_loss(self.discriminator, Tensor(images), target, labels)
            if recipe.separate_updates:
                self._descend(loss)
            losses.append(loss)
            verdicts.append(logits)
        total = losses[0] + losses[1]
        if not recipe.separate_updates:
            self._descend(total)
        return total, (verdicts[0], verdicts[1])

    def _descend(self, loss: Tensor) -> None:
        self.discriminator.zero_grad()
        loss.backward(inputs=self.discriminator.parameters())
        self.d_optimizer.step()

    def _discriminator_has_batch_norm(self) -> bool:
        return any(isinstance(module, BatchNorm) for module in self.discriminator.modules())

    def _update_average(self) -> None:
        decay = self.recipe.ema_decay
        if self.average is None or decay is None:
            return
        parameters, _, buffers = self.generator.flat()
        averages, _, average_buffers = self.average.flat()
        for average, value in ((averages, parameters), (average_buffers, buffers)):
            if value.flat.size:
                kernels.ema_step(average.flat, value.flat, decay=decay, step=self.steps_done.value)

    def _draw_batch(self) -> Tensor | None:
        """Put the next real images and all labels into the batch; returns the labels of a half."""
        batch = self.recipe.batch_size
        position = self.position.take(batch)
        self._draw_images(position, self._batch[:batch])
        if not self.recipe.classes:
            return None
        for half in (self._batch_labels[:batch], self._batch_labels[batch:]):
            kernels.gather_shuffled(
                self._one_hot,
                batch,
                seed=self.seed,
                position=position,
                scale=1.0,
                shift=0.0,
                out=half,
            )
        return Tensor(self._batch_labels[:batch])

    def _draw_images(self, position: Offset, out: Array | None) -> Array:
        if self._images is None:
            raise RuntimeError("no data yet: call attach(images) first")
        low, high = self.recipe.value_range
        return kernels.gather_shuffled(
            self._images,
            self.recipe.batch_size,
            seed=self.seed,
            position=position,
            scale=(high - low) / 255.0,
            shift=low,
            out=out,
        )

    def _latent(self, generator: Generator, count: int) -> Array:
        shape = (count, self.recipe.latent_size)
        if self.recipe.latent != "normal":
            return generator.uniform(shape, -1.0 if self.recipe.latent == "uniform" else 0.0, 1.0)
        return generator.normal(shape)

    def _build(self, factory: Any, stream: int) -> Sequential:
        network: Sequential = factory(np.random.default_rng([self.seed, stream]))
        network.to(self.device)
        return network

    def _optimizer(self, network: Sequential) -> Adam | SGD:
        recipe = self.recipe
        if recipe.optimizer == "sgd":
            return SGD(network, lr=recipe.lr, momentum=recipe.momentum)
        return Adam(
            network,
            lr=recipe.lr,
            beta1=recipe.beta1,
            beta2=recipe.beta2,
            eps=recipe.eps,
            weight_decay=recipe.weight_decay,
        )

    def _place(self, array: Array) -> Array:
        return backend.to_device(array, self.device)

    def _state(self) -> dict[str, Array]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        if self.average is not None:
            networks["average"] = self.average
        state = {}
        for prefix, network in networks.items():
            named = [(name, p.data) for name, p in network.named_parameters()]
            for name, array in [*named, *network.named_buffers()]:
                state[f"{prefix}.{name}"] = array
        for prefix, optimizer in (("g", self.g_optimizer), ("d", self.d_optimizer)):
            for name, array in zip(optimizer.state_names, optimizer.arrays(), strict=True):
                state[f"{prefix}_optimizer.{name}"] = array
        state["noise"] = self.noise.blocks.value
        state["position"] = self.position.value
        state["steps_done"] = self.steps_done.value
        return state
