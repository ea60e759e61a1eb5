"""scripts/check-torture-images' second half: Pillow's pixels beside those of decode_image, file by file."""
import io
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = 100_000_000
JPEG_MEAN, PNG_WORST, SECONDS = 2.0, 2.0, 10  # Pillow cuts 16 bits to 8, which differs by 1 in colour and 1 in alpha


def pillow(path):
    """Pixels as float [H, W, C]: turned upright, 16 bit scaled, transparency on white, gray kept gray."""
    with Image.open(path) as opened:
        kind = opened.format
        opened.load()
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):  # 16-bit gray; its tRNS level, if any, is transparent
            values = np.asarray(image).astype(float)
            clear = values == image.info.get("transparency", -1)
            return kind, np.where(clear, 255, values / 257)[:, :, None]
        transparent = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA")
        gray = image.mode in ("1", "L", "LA")
        if not transparent:
            image = image.convert("L" if gray else "RGB")
        else:
            layers = np.asarray(image.convert("RGBA")).astype(float)
            alpha = layers[:, :, 3:] / 255
            pixels = layers[:, :, :3] * alpha + 255 * (1 - alpha)
            return kind, pixels[:, :, :1] if gray else pixels
        pixels = np.asarray(image).astype(float)
        return kind, pixels if pixels.ndim == 3 else pixels[:, :, None]


def ours(decoder, path):
    """Pixels, or None and the message."""
    done = subprocess.run([decoder, path], capture_output=True, timeout=SECONDS, check=False)
    if done.returncode == 3:
        return None, done.stderr.decode().strip()
    if done.returncode != 0:
        raise RuntimeError(f"exit status {done.returncode}: {done.stderr.decode()[:2000]}")
    pixels = np.asarray(Image.open(io.BytesIO(done.stdout))).astype(float)
    return pixels if pixels.ndim == 3 else pixels[:, :, None], ""


def judge(decoder, path):
    """(verdict, remark); the verdict FAILED is what fails the run."""
    try:
        mine, message = ours(decoder, path)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return "FAILED", str(error)
    try:
        kind, theirs = pillow(path)
    except Exception as error:  # Pillow raises many kinds, SyntaxError among them
        return ("both refuse", message) if mine is None else ("only ours reads", f"Pillow: {error}")
    if kind not in ("JPEG", "PNG", "MPO"):
        return ("both refuse", message) if mine is None else ("FAILED", f"Pillow sees {kind}")
    if mine is None:
        return "only Pillow reads", message
    if mine.shape[2] == 1 and theirs.shape[2] == 3:  # Pillow makes colour of 16-bit gray with alpha
        mine = mine.repeat(3, axis=2)
    if mine.shape != theirs.shape:
        return "FAILED", f"shape {mine.shape}, Pillow {theirs.shape}"
    difference = np.abs(mine - theirs)
    remark = f"{kind}, mean difference {difference.mean():.3f}, largest {difference.max():.1f}"
    agrees = difference.max() <= PNG_WORST if kind == "PNG" else difference.mean() <= JPEG_MEAN
    return "agree" if agrees else "FAILED", remark


def main(decoder, folders):
    counts = {}
    for path in sorted(p for folder in folders for p in pathlib.Path(folder).rglob("*") if p.is_file()):
        verdict, remark = judge(decoder, str(path))
        counts[verdict] = counts.get(verdict, 0) + 1
        if verdict not in ("agree", "both refuse"):
            print(f"{verdict}: {path}: {remark}")
    print(", ".join(f"{verdict}: {count}" for verdict, count in sorted(counts.items())))
    return 1 if "FAILED" in counts or "agree" not in counts else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
