"""Writes tests/data/image: PNG files of every kind with what Pillow makes of them, and what Pillow's resampling does.

Needs Pillow and numpy; run from the repository root. The .rgb files are raw [H, W, 3] bytes.
"""
import os
import zlib
import struct

import numpy as np
from PIL import Image, PngImagePlugin

OUT = "tests/data/image"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width, height, depth, colour, interlace):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def on_white(image):
    """As br_png_read does it: round((c a + 255 (255 - a)) / 255)."""
    rgba = np.asarray(image.convert("RGBA")).astype(np.int64)
    alpha = rgba[..., 3:]
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def save(name, rgb):
    assert rgb.dtype == np.uint8 and rgb.shape[2] == 3
    with open(f"{OUT}/{name}.rgb", "wb") as file:
        file.write(rgb.tobytes())


def adam7(rows, width, height, bytes_per_pixel):
    """Filter-less Adam7 stream of rows [H][W * bytes_per_pixel]."""
    data = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for y in range(y0, height, dy):
            line = b"".join(rows[y][x * bytes_per_pixel:(x + 1) * bytes_per_pixel] for x in range(x0, width, dx))
            if line:
                data += b"\0" + line
    return data


def main():
    os.makedirs(OUT, exist_ok=True)
    random = np.random.default_rng(7)
    width, height = 13, 7
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 19 + y, 255 - y * 36, (x * y * 5) % 256], -1).astype(np.uint8)
    alpha = ((x * 37 + y * 53) % 256).astype(np.uint8)

    kinds = {
        "rgb8": Image.fromarray(rgb),
        "rgba8": Image.fromarray(np.dstack([rgb, alpha])),
        "gray8": Image.fromarray(rgb[..., 0]),
        "gray_alpha8": Image.merge("LA", [Image.fromarray(rgb[..., 0]), Image.fromarray(alpha)]),
        "palette8": Image.fromarray(rgb).quantize(37),
        "palette2": Image.fromarray(rgb).quantize(4),
        "gray1": Image.fromarray(((x + y) % 3 == 0)),
    }
    for name, image in kinds.items():
        options = {"transparency": 2} if name == "palette2" else {}
        image.save(f"{OUT}/{name}.png", **options)
        save(name, on_white(Image.open(f"{OUT}/{name}.png")))

    # 16 bits, written by hand: Pillow has no RGB mode for them. 8-bit values are round(v * 255 / 65535).
    deep = random.integers(0, 65536, (height, width, 3))
    rows = b"".join(b"\0" + line.astype(">u2").tobytes() for line in deep)
    with open(f"{OUT}/rgb16.png", "wb") as file:
        file.write(SIGNATURE + header(width, height, 16, 2, 0) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    save("rgb16", np.round(deep * 255 / 65535).astype(np.uint8))

    rgba = np.dstack([rgb, alpha])
    stream = adam7([line.tobytes() for line in rgba], width, height, 4)
    with open(f"{OUT}/rgba8_interlaced.png", "wb") as file:
        file.write(SIGNATURE + header(width, height, 8, 6, 1) + chunk(b"IDAT", zlib.compress(stream)) + chunk(b"IEND", b""))
    save("rgba8_interlaced", on_white(Image.open(f"{OUT}/rgba8_interlaced.png")))

    # As AUTOMATIC1111 writes its settings, once in each encoding; and a compressed chunk after the pixels.
    for name, text in [("text_latin1", "a café on the Champs-Élysées\nSteps: 20"), ("text_utf8", "赤いリンゴ 🍎 – α\nSteps: 20")]:
        info = PngImagePlugin.PngInfo()
        info.add_text("parameters", text)
        kinds["rgb8"].save(f"{OUT}/{name}.png", pnginfo=info)
    with open(f"{OUT}/rgb8.png", "rb") as file:
        plain = file.read()
    with open(f"{OUT}/text_late.png", "wb") as file:
        file.write(plain[:-12] + chunk(b"zTXt", b"parameters\0\0" + zlib.compress("late é".encode("latin-1"))) + plain[-12:])

    source = Image.fromarray(rgb)
    filters = {"lanczos": Image.LANCZOS, "bicubic": Image.BICUBIC}
    for name, kind in filters.items():
        for size in [(5, 3), (31, 17), (13, 2), (1, 1)]:
            save(f"resize_{name}_{size[0]}x{size[1]}", np.asarray(source.resize(size, kind)))


main()
