"""Workbooks as other programs leave them."""

import re
import zipfile
from pathlib import Path


def resized(path: Path, said: str) -> Path:
    """The workbook with another size in its sheet's ``dimension``, as programs leave it that append rows."""
    other = path.with_name("resized.xlsx")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("sheet1.xml"):
                content = re.sub(rb'<dimension ref="[^"]*"', f'<dimension ref="{said}"'.encode(), content)
                assert said.encode() in content
            target.writestr(name, content)
    return other
