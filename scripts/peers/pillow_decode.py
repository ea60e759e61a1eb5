"""Pillow's side of scripts/bench prep: decodes every JPEG below a folder, files opened one by one; prints seconds."""
import os
import sys
import time

from PIL import Image

begun = time.perf_counter()
count = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with Image.open(os.path.join(folder, name)) as image:
            image.load()
        count += 1
print(time.perf_counter() - begun, count)
