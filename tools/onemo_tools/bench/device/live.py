# Heap that stays taken after imports: what is live once the collector has run.

import gc


def _taken():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


def main(names):
    """names: [label, module, ...] lists, imported one after another; live bytes after each."""

    found = {label: 0 for label, _ in names}
    before = _taken()
    for label, modules in names:
        for module in modules:
            if module == "Modem":
                pass
            else:
                __import__(module)
        found[label] = _taken() - before
    return found
