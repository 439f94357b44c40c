"""Folders of GPT-2 token shards in FineWeb's layout: found, fetched, made and checked.

A folder holds `fineweb_train_000001.bin` and on, `fineweb_val_000000.bin`, and `manifest.json`,
which says where they come from. `find` is what a run needs of it; `python -m trainer.data.fineweb`
(`speedcheck data`) does the rest, without torch.
"""

from trainer.data.fineweb.find import ShardPaths, find_shards

__all__ = ["ShardPaths", "find_shards"]
