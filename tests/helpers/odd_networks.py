"""Small networks of one's own, each laid out in a way of its own."""

import torch
from torch import nn


class Block(nn.Module):
    """A transformer block of (N, L, C), or of (L, N, C)."""

    def __init__(self, width, batch_first=True):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=batch_first)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x):
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm(x))


class Tokens(nn.Module):
    """A transformer whose other tokens stand where `place` says.

    fixed: it takes one size only; order: NLC or LNC in the blocks; names: of the parameters.
    """

    def __init__(self, place="front", count=1, fixed=False, order="NLC", names="cls_token;spare"):
        super().__init__()
        self.place, self.order = place, order
        self.names = names.split(";")
        self.patches = nn.Conv2d(3, 24, 16, 16)
        setattr(self, self.names[0], nn.Parameter(torch.randn(1, 1, 24)))
        setattr(self, self.names[1], nn.Parameter(torch.randn(1, count - 1, 24)))
        self.positions = nn.Parameter(torch.randn(1, 196, 24)) if fixed else None
        self.blocks = nn.ModuleList(Block(24, order == "NLC") for _ in range(3))
        self.last = nn.LayerNorm(24)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.positions is not None:
            x = x + self.positions
        first, more = (getattr(self, name).expand(len(x), -1, -1) for name in self.names)
        x = self.join(x, first, more)
        x = x.transpose(0, 1) if self.order == "LNC" else x
        for block in self.blocks:
            x = block(x)
        return self.last(x)

    def join(self, x, first, more):
        if self.place == "front":
            return torch.cat([first, more, x], 1)
        if self.place == "twice":  # as in the reference code of DINOv2
            x = torch.cat([first, x], 1)
            return torch.cat([x[:, :1], more, x[:, 1:]], 1)
        if self.place == "behind":
            return torch.cat([x, first, more], 1)
        if self.place == "around":
            return torch.cat([torch.cat([first, x], 1), more], 1)
        if self.place == "middle":
            half = x.shape[1] // 2
            return torch.cat([x[:, :half], first, more, x[:, half:]], 1)
        room = x.new_zeros(len(x), x.shape[1] + 1 + more.shape[1], x.shape[2])  # "written"
        room[:, :1], room[:, 1 : 1 + more.shape[1]], room[:, 1 + more.shape[1] :] = first, more, x
        return room


class Clip(nn.Module):
    """Laid out as in CLIP's own code: the class embedding plus zeros, sequence first inside."""

    def __init__(self):
        super().__init__()
        self.visual = Visual()

    def forward(self, x):
        return self.visual(x)


class Visual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 16, 16, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(24))
        self.positional_embedding = nn.Parameter(torch.randn(197, 24))
        self.ln_pre = nn.LayerNorm(24)
        self.transformer = Resblocks()
        self.ln_post = nn.LayerNorm(24)

    def forward(self, x):
        x = self.conv1(x).flatten(2).permute(0, 2, 1)
        zeros = torch.zeros(len(x), 1, x.shape[-1], dtype=x.dtype, device=x.device)
        x = torch.cat([self.class_embedding + zeros, x], dim=1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x).permute(1, 0, 2)).permute(1, 0, 2)
        return self.ln_post(x[:, 0, :])


class Resblocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(24, batch_first=False) for _ in range(3)))

    def forward(self, x):
        return self.resblocks(x)


class Inside(nn.Module):
    """Another network, under a name that tells nothing."""

    def __init__(self, inner, name="thing"):
        super().__init__()
        self.name = name
        setattr(self, name, inner)

    def forward(self, x):
        return getattr(self, self.name)(x)


class ChannelsFirst(nn.Module):
    """(N, C, L), and its activations are functions."""

    def __init__(self, width=24):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 16, 16)
        self.mix = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(3))

    def forward(self, x):
        x = self.stem(x).flatten(2)
        for mix in self.mix:
            x = mix(x).relu()
        return x


class Functions(nn.Module):
    """Convolutions with norms, and no activation is a module."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.conv3 = nn.Conv2d(8, 8, 3)
        self.conv4 = nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.norm1(self.conv1(x)).relu()
        x = self.pool(self.norm2(self.conv2(x)).relu())
        x = self.conv4(self.conv3(x).relu()).relu()
        return self.fc(x.mean((2, 3)))


def conv(channels_in=8, stride=1):
    return nn.Sequential(nn.Conv2d(channels_in, 8, 3, stride, 1), nn.ReLU())


class Middle(nn.Module):
    """Two ordinary blocks with something between; or beside, where nothing depends on it."""

    def __init__(self, middle, beside=False):
        super().__init__()
        self.first, self.middle, self.last = conv(3), middle, conv()
        self.beside = beside

    def forward(self, x):
        x = self.first(x)
        y = self.read(x)
        return self.last(x if self.beside else y)

    def read(self, x):
        return self.middle(x)


class Repeated(Middle):
    """The same block four times, as in CORnet-S."""

    def __init__(self, beside=False):
        super().__init__(conv(), beside)

    def read(self, x):
        for _ in range(4):
            x = self.middle(x)
        return x


class Spectrum(Middle):
    def __init__(self, beside=False):
        super().__init__(Transform(), beside)

    def read(self, x):
        return torch.fft.irfft2(self.middle(x), s=x.shape[2:])


class Transform(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x)


class Boxed(Middle):
    def __init__(self, beside=False):
        super().__init__(Box(), beside)

    def read(self, x):
        return self.middle(x).content


class Box(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = conv()

    def forward(self, x):
        return Content(self.body(x))


class Content:
    def __init__(self, content):
        self.content = content


class Windows(Middle):
    """Its middle part cuts pictures into windows that take the place of pictures."""

    def __init__(self, beside=False):
        super().__init__(Cut(), beside)

    def read(self, x):
        y = self.middle(x)
        return y.unflatten(0, (len(x), 4)).sum(1)


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = conv()

    def forward(self, x):
        return self.body(x.repeat_interleave(4, 0))


class Pairs(Middle):
    """Its middle part gives out what was computed beside, and then the signal."""

    def __init__(self, beside=False):
        super().__init__(Pair(), beside)

    def read(self, x):
        return self.middle(x)[1]


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.side, self.body = conv(), conv()

    def forward(self, x):
        return self.side(x), self.body(x)


class Aggregating(nn.Module):
    """Laid out as a block of HGNet: its layers are no blocks, all of them are put together."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(conv() for _ in range(3))
        self.aggregation = nn.Sequential(nn.Conv2d(32, 8, 1), nn.ReLU())

    def forward(self, x):
        found = [x]
        for layer in self.layers:
            found.append(layer(found[-1]))
        return self.aggregation(torch.cat(found, 1)) + x


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.body(x)


class ThreeParts(nn.Module):
    """Laid out as a block of MaxViT: three residual parts of two kinds, one after the other."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(conv(), Residual(conv()), Residual(conv()))

    def forward(self, x):
        return self.layers(x)


class Stage(nn.Module):
    def __init__(self, kind, depth):
        super().__init__()
        self.downsample = conv(stride=2)
        self.blocks = nn.Sequential(*(kind() for _ in range(depth)))

    def forward(self, x):
        return self.blocks(self.downsample(x))


class Staged(nn.Module):
    def __init__(self, kind, depths=(1, 2)):
        super().__init__()
        self.stem = conv(3)
        self.stages = nn.Sequential(*(Stage(kind, depth) for depth in depths))

    def forward(self, x):
        return self.stages(self.stem(x))


class Remembers(nn.Module):
    """Keeps a grid of positions for each size that it saw."""

    def __init__(self):
        super().__init__()
        self.first, self.last = conv(3), conv()
        self.grids = {}

    def forward(self, x):
        x = self.first(x)
        size = tuple(x.shape[2:])
        if size not in self.grids:
            self.grids[size] = torch.ones(size, device=x.device)
        return self.last(x + self.grids[size])


class Square(nn.Module):
    """As many channels as positions, and the size is fixed."""

    def __init__(self):
        super().__init__()
        self.patches, self.act = nn.Conv2d(3, 196, 16, 16), nn.GELU()
        self.places = nn.Parameter(torch.zeros(1, 196, 196))

    def forward(self, x):
        return self.act(self.patches(x).flatten(2) + self.places)


class Pooled(nn.Module):
    """Goes on after pooling, under names that don't tell that it does."""

    def __init__(self, side=1):
        super().__init__()
        self.first, self.second = conv(3), conv()
        self.squeeze = nn.AdaptiveAvgPool2d(side)
        self.mix, self.active = nn.Conv2d(8, 16, 1), nn.Hardswish()

    def forward(self, x):
        return self.active(self.mix(self.squeeze(self.second(self.first(x)))))


class Shrinking(nn.Module):
    """Halves its maps until nothing is left to halve, as the extra layers of detectors do."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(*(conv(3 if i == 0 else 8, 2) for i in range(9)))

    def forward(self, x):
        return self.blocks(x)
