"""Archives with the published layouts of the data sets, filled with small generated pictures.

Every builder returns a tree: relative path -> bytes, with the names, case quirks, line ends and
header oddities of the real thing.
"""

import binascii
import io
import struct
import tarfile
import zipfile

import numpy as np
import openpyxl
from PIL import Image
from scipy.io import savemat

Tree = dict[str, bytes]


def picture(seed: int, ending: str = "bmp", size: tuple[int, int] = (6, 4)) -> bytes:
    """Return an encoded picture of noise, `size` = (width, height)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, {"jpg": "JPEG"}.get(ending, ending.upper()))
    return buffer.getvalue()


class Pictures:
    """Makes pictures that all differ; the same name asked twice gives another picture."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, ending: str = "bmp") -> bytes:
        self.count += 1
        return picture(self.count, ending)


# ----------------------------------------------------------------------------- packing


def zipped(tree: Tree, top: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in tree.items():
            file.writestr(f"{top}{name}", data)
    return buffer.getvalue()


def tarred(tree: Tree, top: str = "", mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    options = {"compresslevel": 1} if mode == "w:gz" else {}
    with tarfile.open(fileobj=buffer, mode=mode, **options) as file:
        for name, data in tree.items():
            member = tarfile.TarInfo(f"{top}{name}")
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def rarred(tree: Tree, top: str = "") -> bytes:
    """Return a rar archive (format 4, members stored), as the oldest tools write it."""

    def block(kind: int, flags: int, rest: bytes, data: bytes = b"") -> bytes:
        body = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
        return struct.pack("<H", binascii.crc32(body) & 0xFFFF) + body + data

    parts = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, data in tree.items():
        encoded = f"{top}{name}".replace("/", "\\").encode()
        rest = struct.pack(
            "<IIBIIBBHI",
            len(data),
            len(data),
            2,
            binascii.crc32(data),
            0x3C210000,
            20,
            0x30,
            len(encoded),
            0x20,
        )
        parts.append(block(0x74, 0x8000, rest + encoded, data))
    return b"".join([*parts, block(0x7B, 0x4000, b"")])


# ----------------------------------------------------------------------------- data sets


def tid(mos: list[str], deviations: list[str], references: int, types: int, levels: int) -> Tree:
    """TID2013 as published: CRLF, capital I and .BMP for three types, i25.bmp in lower case."""
    make, tree, lines = Pictures(), {}, []
    endings = {1: ".bmp", 11: ".BMP", 13: ".BMP"}
    for reference in range(1, references + 1):
        for kind in range(1, types + 1):
            for level in range(1, levels + 1):
                name = f"i{reference:02d}_{kind:02d}_{level}.bmp"
                if level == 1 and kind in endings:
                    name = f"I{name[1:-4]}{endings[kind]}"
                lines.append(f"{mos[len(lines)]} {name}")
                # The case on disk differs again from that in the table.
                on_disk = name.lower() if kind != 12 else name.upper()
                tree[f"distorted_images/{on_disk}"] = make()
        name = "i25.bmp" if reference == 25 else f"I{reference:02d}.BMP"
        tree[f"reference_images/{name}"] = make()
    tree["mos_with_names.txt"] = "".join(f"{line}\r\n" for line in lines).encode()
    tree["mos_std.txt"] = "".join(f"{value}\r\n" for value in deviations).encode()
    tree["metrics_values/PSNR.txt"] = b"1.0\r\n"
    tree["readme"] = b"TID\r\n"
    return tree


def kadid(references: int = 2) -> Tree:
    """KADID-10k: everything in one folder; four types have a level that changes nothing."""
    make, tree, lines = Pictures(), {}, ["dist_img,ref_img,dmos,var"]
    same = {(1, 1), (3, 1), (8, 1), (18, 3)}
    for reference in range(1, references + 1):
        original = tree[f"images/I{reference:02d}.png"] = make("png")
        for kind in range(1, 26):
            for level in range(1, 6):
                name = f"I{reference:02d}_{kind:02d}_{level:02d}.png"
                score, deviation = (4.57, 0.496) if (kind, level) == (1, 1) else (3.0, 0.9)
                lines.append(f"{name},I{reference:02d}.png,{score},{deviation}")
                tree[f"images/{name}"] = original if (kind, level) in same else make("png")
    tree["dmos.csv"] = "\n".join([*lines, ""]).encode()
    return tree


CSIQ_NAMES = ("1600", "elk", "sunset_sparrow")
_CSIQ_TYPES = {
    "noise": "AWGN",
    "blur": "BLUR",
    "contrast": "contrast",
    "fnoise": "fnoise",
    "jpeg": "JPEG",
    "jpeg 2000": "jpeg2000",
}


def csiq_rows() -> list[tuple[str, str, str, int, float]]:
    """Return (name, spelling in the workbook, token, level, DMOS); level 4 of contrast lacks."""
    rows = []
    for name in CSIQ_NAMES:
        for spelling, token in _CSIQ_TYPES.items():
            for level in (1, 2, 3, 5) if token == "contrast" else (1, 2, 3, 4, 5):
                rows.append((name, spelling, token, level, round(0.061989 + len(rows) / 100, 6)))
    return rows


def csiq_pictures(flat: bool) -> tuple[Tree, Tree]:
    """Return sources and distorted pictures, the latter flat or in a folder for each type."""
    make = Pictures()
    sources = {f"{name}.png": make("png") for name in CSIQ_NAMES}
    distorted = {
        f"{'' if flat else token + '/'}{name}.{token}.{level}.png": make("png")
        for name, _, token, level, _ in csiq_rows()
    }
    return sources, distorted


def csiq_workbook() -> bytes:
    """The DMOS workbook: three empty columns, the header in row 4, "1600" as a number."""
    book = openpyxl.Workbook()
    book.active.title = "by_type"
    sheet = book.create_sheet("all_by_image")
    sheet["A1"] = "CSIQ DMOS"
    columns = ["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
    for place, text in enumerate(columns, 4):
        sheet.cell(4, place, text)
    for row, (name, spelling, _, level, dmos) in enumerate(csiq_rows(), 5):
        values = [int(name) if name.isdigit() else name, 1, spelling, level, 0.05, dmos]
        for place, value in enumerate(values, 4):
            sheet.cell(row, place, value)
    sheet.cell(len(csiq_rows()) + 7, 5).value = " "  # trailing rows that aren't quite empty
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def csiq_label() -> bytes:
    lines = [
        f"{name}.{token}.{level}.png {dmos:.6f}" for name, _, token, level, dmos in csiq_rows()
    ]
    return "\n".join([*lines, ""]).encode()


def mat(**content: object) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, content)
    return buffer.getvalue()


def cells(texts: list[str], column: bool = False) -> np.ndarray:
    """Return a MATLAB cell array of texts."""
    array = np.array(texts, dtype=object)
    return array[:, None] if column else array[None, :]


LIVE_FOLDERS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}


def live(dmos_name: str = "dmos.mat") -> tuple[Tree, np.ndarray, np.ndarray]:
    """LIVE release 2: 982 rows of which 203 are undistorted; returns tree, scores, orgs."""
    rng = np.random.default_rng(3)
    make, tree = Pictures(), {}
    references = [f"ref{number:02d}.bmp" for number in range(29)]
    for name in references:
        tree[f"refimgs/{name}"] = make()
    orgs = np.zeros(982, dtype="uint8")
    orgs[rng.permutation(982)[:203]] = 1
    names = []
    for folder, count in LIVE_FOLDERS.items():
        for number in range(1, count + 1):
            name = references[len(names) % 29]
            undistorted = orgs[len(names)]
            tree[f"{folder}/img{number}.bmp"] = tree[f"refimgs/{name}"] if undistorted else make()
            names.append(name)
        tree[f"{folder}/info.txt"] = b"refimgs\r\n"
    scores = np.where(orgs, 0.0, rng.uniform(-2.64, 111.77, 982))
    tree["refnames_all.mat"] = mat(refnames_all=cells(names))
    tree[dmos_name] = mat(dmos=scores[None] / 2, orgs=orgs[None])
    tree["dmos_realigned.mat"] = mat(
        dmos_new=scores[None], dmos_std=np.full((1, 982), 9.0), orgs=orgs[None]
    )
    return tree, scores, orgs


def livemd(raters: int = 4) -> tuple[Tree, np.ndarray]:
    """LIVE-MD with its folder names with a space; returns tree and the raters' opinions."""
    make, tree, opinions = Pictures(), {}, []
    rng = np.random.default_rng(5)
    bases = [f"name{letter}" for letter in "abcdefghijklmno"]
    for part, folder, other in ((1, "blurjpeg", "jpeg"), (2, "blurnoise", "noise")):
        names = []
        for base in bases:
            tree[f"Part {part}/{folder}/{base}.bmp"] = picture(100_000 + len(base) + part)
            steps = [f"blur{a}" for a in (1, 2, 3)] + [f"{other}{b}" for b in (1, 2, 3)]
            steps += [f"blur{a}_{other}{b}" for a in (1, 2, 3) for b in (1, 2, 3)]
            names += [f"{base}_{step}.bmp" for step in steps]
        for name in names:
            tree[f"Part {part}/{folder}/{name}"] = make()
        votes = rng.uniform(0.6, 84.7, (raters, len(names)))
        opinions.append(votes)
        tree[f"Part {part}/Imagelists.mat"] = mat(distimgs=cells(names, column=True))
        tree[f"Part {part}/Scores.mat"] = mat(
            DMOSscores=votes.mean(axis=0)[None], dist_diffscores=votes
        )
    return tree, np.stack(opinions)


def pipal(references: tuple[str, ...] = ("A0001", "A0004")) -> Tree:
    """PIPAL as published: the distorted pictures spread over four folders; one val reference."""
    make, tree = Pictures(), {}
    for reference in references:
        tree[f"Train_Ref/{reference}.bmp"] = make()
        lines = []
        for kind in range(7):
            for variant in range(2):
                name = f"{reference}_{kind:02d}_{variant:02d}.bmp"
                tree[f"Distortion_{kind % 4 + 1}/{name}"] = make()
                lines.append(f"{name},{1500 + 10 * kind + variant + 0.0648:.4f}")
        tree[f"Train_Label/{reference}.txt"] = "\n".join([*lines, ""]).encode()
    tree["Val_Ref/A0005.bmp"] = make()
    tree["Val_Dist/A0005_06_00.bmp"] = make()
    tree["Val_Label/A0005.txt"] = b"A0005_06_00.bmp,1402.5\n"
    return tree


def pieapp(references: int = 2) -> Tree:
    """PieAPP: scores for the test part only; header names with leading blanks; CRLF."""
    make, tree = Pictures(), {}
    for number in range(1, references + 1):
        name = f"ref_{number}"
        tree[f"reference_images/test/{name}.png"] = make("png")
        lines = ["reference image, distorted image, score for distorted image"]
        lines.append(f"{name}.png,{name}.png,0")
        for index in range(3):
            file = f"distort_{index}_gaussian_blur_{'inter' if index else 'intra'}_{index}.png"
            tree[f"distorted_images/test/{name}/{file}"] = make("png")
            lines.append(f"{name}.png,{file},{0.5 + index}")
        text = "\r\n".join([*lines, ""])
        tree[f"labels/test/{name}_per_image_score.csv"] = text.encode()
        tree[f"labels/test/{name}_pairwise_labels.csv"] = b"ref, distA, distB, p\r\n"
    tree["reference_images/train/ref_9.png"] = make("png")
    tree["distorted_images/train/ref_9/distort_0_noise_inter_0.png"] = make("png")
    tree["test_reference_list.txt"] = b"ref_1.png\nref_2.png\n"
    return tree


def mdid(references: int = 2) -> tuple[Tree, list[float]]:
    make, tree = Pictures(), {}
    scores = [round(0.078 + row * 0.04, 4) for row in range(80 * references)]
    for reference in range(1, references + 1):
        tree[f"reference_images/img{reference:02d}.bmp"] = make()
        for number in range(1, 81):
            tree[f"distortion_images/img{reference:02d}_{number:02d}.bmp"] = make()
        tree[f"img{reference:02d}.txt"] = b"1 2 3 4 5\n"
    tree["mos.txt"] = "".join(f"{score}\r\n" for score in scores).encode()
    tree["mos_std.txt"] = b"0.9\r\n" * len(scores)
    return tree, scores


def waterloo(rows: list[tuple[str, str, str, float]]) -> bytes:
    """Return a table of the Waterloo copies: (distorted, type, reference, score)."""
    lines = [f"{dist},{kind},{ref},{score}" for dist, kind, ref, score in rows]
    return "\n".join(["dis_img_path,dis_type,ref_img_path,score", *lines, ""]).encode()


CIDIQ_FOLDERS = (
    "1_JPEG2000_Compression",
    "2_JPEG_Compression",
    "3_Poisson_Noise",
    "4_Gaussian_Blur",
    "5_SGCK_Gamut_Mapping",
    "6_DeltaE_Gamut_Mapping",
)


def cidiq() -> tuple[Tree, np.ndarray, np.ndarray]:
    """CID:IQ in full, with the scores at 50 and at 100 cm as column vectors."""
    make, tree = Pictures(), {}
    for reference in range(1, 24):
        tree[f"Images/Original/final{reference:02d}.bmp"] = make()
    for kind, folder in enumerate(CIDIQ_FOLDERS, 1):
        for reference in range(1, 24):
            for level in range(1, 6):
                name = f"final{reference:02d}_d{kind}_l{level}.bmp"
                tree[f"Images/Reproduction/{folder}/{name}"] = make()
    near, far = np.linspace(1.18, 7.65, 690), np.linspace(7.76, 1.0, 690)
    tree["MOS50.mat"] = mat(MOS50=near[:, None])
    tree["MOS100.mat"] = mat(MOS100=far[:, None])
    return tree, near, far


def vclfer(references: int = 2) -> tuple[Tree, list[tuple[str, str, str, float]]]:
    """VCL@FER's pictures (JPEG kept as .jpg) and the rows of Waterloo's table."""
    make, tree, rows = Pictures(), {}, []
    kinds = {"AWGN": "AWGN", "BLU": "GBLUR", "J2K": "JP2K", "JPG": "JPEG"}
    for reference in range(1, references + 1):
        tree[f"Ref_Images/IMG_{reference:02d}.bmp"] = make()
    for token, kind in kinds.items():
        ending = "jpg" if token == "JPG" else "bmp"
        for reference in range(1, references + 1):
            for level in range(1, 7):
                name = f"vcl_fer/IMG_{reference:02d}_{token}_{level}.{ending}"
                tree[name] = make(ending)
                original = f"VCLFER/Ref_Images/IMG_{reference:02d}.bmp"
                rows.append((f"VCLFER/{name}", kind, original, 90.0 - 10 * level))
    return tree, rows


def cid22(references: int = 2) -> Tree:
    make, tree = Pictures(), {}
    lines = ["reference_img,distorted_img,encoder,setting,bpp,MCOS,RMOS,Elo,nb_pc_opinions"]
    for number in range(references):
        original = f"original/{number}.png"
        tree[original] = make("png")
        lines.append(f"{original},{original},Reference,,24.0,93.1,92.0,2000,10")
        for encoder in ("AVIF_aom_s1", "JPEG"):
            file = f"compressed/{number}/{encoder}_q30.png"
            tree[file] = make("png")
            lines.append(f"{original},{file},{encoder},q30,0.5,61.25,60.0,1500,120")
    tree["CID22_validation_set.csv"] = "\n".join([*lines, ""]).encode()
    return tree


def bapps() -> Tree:
    """BAPPS: two triplets a set; the same numbers in every folder; a JND part beside it."""
    make, tree = Pictures(), {}
    for place, name in enumerate(
        ("traditional", "cnn", "superres", "deblur", "color", "frameinterp")
    ):
        for number in range(2):
            for part in ("ref", "p0", "p1"):
                tree[f"2afc/val/{name}/{part}/{number:06d}.png"] = make("png")
            buffer = io.BytesIO()
            np.save(buffer, np.array([[0.2 * (place % 6)]], dtype="float32"))
            tree[f"2afc/val/{name}/judge/{number:06d}.npy"] = buffer.getvalue()
    tree["jnd/val/cnn/p0/000000.png"] = make("png")
    return tree


def nights() -> Tree:
    make, tree = Pictures(), {}
    lines = ["id,left_vote,right_vote,votes,ref_path,left_path,right_path,split,is_imagenet,prompt"]
    for number, (right, votes, split, imagenet) in enumerate(
        [
            (0, 7, "test", True),
            (1, 6, "test", False),
            (1, 4, "test", True),
            (0, 8, "train", False),
        ]
    ):
        reference = f"ref/000/{number:03d}.png"
        left, second = (f"distort/000/{number:03d}_{side}.png" for side in (0, 1))
        for file in (reference, left, second):
            tree[file] = make("png")
        paths = f"{reference},{left},{second}"
        lines.append(f'{number},{1 - right},{right},{votes},{paths},{split},{imagenet},"a, b"')
    tree["data.csv"] = "\n".join([*lines, ""]).encode()
    return tree
