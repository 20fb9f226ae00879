"""Print what links reach in a folder: pages, files, and every broken link with the page it stands on.

python -m tests.helpers.page_count FOLDER [--start index.html]
"""

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from config.benches.reachable import Reach, reach


def print_count(found: Reach) -> None:
    """Print the figures, and every broken link with the page it stands on."""
    kinds: dict[str, int] = {}
    for file in found.files:
        suffix = Path(urlsplit(file).path).suffix or "(none)"
        kinds[suffix] = kinds.get(suffix, 0) + 1
    print(f"reachable HTML pages   {len(found.pages)}")
    print(f"  of them copies       {len(found.copies)}  {sorted(found.copies.items())[:5]}")
    print(f"  of them with a query {sum('?' in page for page in found.pages)}")
    print(f"other files            {len(found.files)}  {dict(sorted(kinds.items()))}")
    print(f"redirects              {len(found.redirects)}")
    print(f"broken links           {len(found.broken)}")
    for url, page in sorted(found.broken.items()):
        print(f"  {url}  on {page}")
    print(f"outside                {len(found.outside)}")
    print(f"deepest page           {max(found.depth.values())} clicks")
    print(f"distinct URLs inside   {len(found.depth)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the pages that links reach in a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", default="index.html")
    given = parser.parse_args()
    print_count(reach(given.folder, given.start))


if __name__ == "__main__":
    main()
