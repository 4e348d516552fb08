"""Write anew what the golden recordings are expected to become: `python -m tests.support.regenerate_golden`.

Run it when a change of the codec is meant to change what a parent sees, and read the difference before keeping it. A
recording without expectations gets them; expectations without a recording are removed.
"""

from __future__ import annotations

from tests.golden.replay import TRANSCRIPTS, Replay, read, recordings


def main() -> None:
    """Rewrite all expectations; name those that changed."""
    wanted = {path.with_suffix(".json"): Replay().run(read(path)).render() for path in recordings()}
    for path in sorted({*wanted, *TRANSCRIPTS.glob("*.json")}):
        before = path.read_text("utf-8") if path.exists() else None
        after = wanted.get(path)
        if after is None:
            path.unlink()
        elif after != before:
            path.write_text(after, "utf-8")
        if after != before:
            print(path.name)


if __name__ == "__main__":
    main()
