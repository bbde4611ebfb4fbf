"""Catalogs: what vendors call the operations of their HTTP interfaces (docs/catalog-format.md).

`facts` is the text that is committed, `template` reads one path of it, `build` makes of many texts one binary, and `index` looks
requests up in that. Generators (`tools/catalog/`) and users' catalogs meet here in `Facts`.
"""
