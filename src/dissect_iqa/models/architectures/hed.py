"""The trunk of HED, a network that finds contours (Xie & Tu, ICCV 2015)."""

from dissect_iqa.models.architectures.vgg_trunk import POOL, VGGTrunk

#: VGG-16's 13 convolutions; HED cuts off the last pooling.
_PLAN = (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512)


def hed_trunk() -> VGGTrunk:
    """Build the VGG-16 trunk of HED as trained on BSDS500.

    Its input is BGR in 0..255 minus the means 104.00699, 116.66877, 122.67892. Pooling keeps
    odd borders, as in Caffe and as "same" padding does in Keras.

    Returns
    -------
    VGGTrunk
        Modules ``features.0`` to ``features.29``, numbered as in torchvision's ``vgg16``.
    """
    return VGGTrunk(_PLAN, batch_norm=False, ceil_mode=True)
