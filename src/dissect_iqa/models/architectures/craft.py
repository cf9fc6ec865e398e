"""The trunk of CRAFT, a network that finds text in pictures (Baek et al., CVPR 2019)."""

from dissect_iqa.models.architectures.vgg_trunk import POOL, VGGTrunk

#: VGG-16's convolutions conv1_1 to conv5_2; the file has no conv5_3.
_PLAN = (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512)


def craft_trunk() -> VGGTrunk:
    """Build the VGG-16-BN trunk of CRAFT.

    CRAFT takes VGG-16-BN up to conv5_2 and goes on with a dilated convolution of its own in
    place of conv5_3, so this configuration has 12 of VGG's 13 convolutions. In CRAFT the map
    of conv5_2 leaves the trunk before its ReLU (the other three before theirs too, but there
    the ReLU that follows works in place); here every convolution has its ReLU, as in VGG-16-BN,
    so that one layer means the same in both.

    Its input is RGB in 0..1, normalised with ImageNet's means and standard deviations.

    Returns
    -------
    VGGTrunk
        Modules ``features.0`` to ``features.39``, numbered as in torchvision's ``vgg16_bn``.
    """
    return VGGTrunk(_PLAN, batch_norm=True)
