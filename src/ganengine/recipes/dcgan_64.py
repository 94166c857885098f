"""``dcgan-64``: a DCGAN (Radford et al. 2015) for 64 x 64 colour images, such as faces.

The form of PyTorch's examples: 4 x 4 kernels, half the paper's widths, normal noise.
"""

from dataclasses import dataclass

from ganengine import Classic, nn


@dataclass
class Dcgan64(Classic):
    """DCGAN (Radford et al. 2015) for folders of 64x64 colour images."""

    epochs = 25
    default_data = ""
    image_shape = (3, 64, 64)

    def make_generator(self, rng):
        plain = {"bias": False, "weight_init": nn.init.normal(0.02), "rng": rng}
        twice = {"stride": 2, "padding": 1, **plain}
        relu = {"activation": "relu", "gamma_init": nn.init.normal(0.02, mean=1.0), "rng": rng}
        layers = [
            nn.Reshape(self.latent_size, 1, 1),
            nn.ConvTranspose2d(self.latent_size, 512, 4, **plain),
        ]
        for channels in (256, 128, 64):
            layers += [
                nn.BatchNorm(2 * channels, **relu),
                nn.ConvTranspose2d(2 * channels, channels, 4, **twice),
            ]
        return nn.Sequential(
            *layers,
            nn.BatchNorm(64, **relu),
            nn.ConvTranspose2d(64, 3, 4, activation="tanh", **twice),
        )

    def make_discriminator(self, rng):
        plain = {"bias": False, "weight_init": nn.init.normal(0.02), "rng": rng}
        half = {"stride": 2, "padding": 1, **plain}
        leaky = {
            "activation": "leaky_relu",
            "gamma_init": nn.init.normal(0.02, mean=1.0),
            "rng": rng,
        }
        layers = [nn.Conv2d(3, 64, 4, activation="leaky_relu", **half)]
        for channels in (128, 256, 512):
            layers += [
                nn.Conv2d(channels // 2, channels, 4, **half),
                nn.BatchNorm(channels, **leaky),
            ]
        return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, **plain), nn.Flatten())
