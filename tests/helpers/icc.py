"""Small colour profiles (ICC version 2): an RGB space of matrix and gamma, a grey one of gamma."""

import struct

#: Colorants (X, Y, Z) of red, green and blue, adapted to D50, as in the makers' own profiles.
SRGB = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
WHITE = (0.9642, 1.0, 0.8249)


def fixed(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(values):
    return b"XYZ \0\0\0\0" + fixed(values)


def curve(gamma):
    """A gamma, or the curve of sRGB as a table."""
    if gamma != "srgb":
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    steps = (step / 1023 for step in range(1024))
    values = [((x + 0.055) / 1.055) ** 2.4 if x > 0.04045 else x / 12.92 for x in steps]
    return b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *(round(v * 65535) for v in values))


def text(name):
    ascii_name = name.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(ascii_name)) + ascii_name + bytes(78)


def profile(name, space, **tags):
    tags = {"desc": text(name), "cprt": b"text\0\0\0\0none\0", "wtpt": xyz(WHITE), **tags}
    start, table, body = 132 + 12 * len(tags), b"", b""
    for key, content in tags.items():
        table += key.encode() + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(WHITE)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def rgb_profile(name, colorants, gamma):
    tags = {f"{key}XYZ": xyz(values) for key, values in zip("rgb", colorants, strict=True)}
    return profile(name, b"RGB ", **tags, **{f"{key}TRC": curve(gamma) for key in "rgb"})


def grey_profile(name, gamma):
    return profile(name, b"GRAY", kTRC=curve(gamma))
