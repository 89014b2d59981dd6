// SPDX-License-Identifier: MIT
//
// Counts on a 32-bit heap: MicroPython's WebAssembly build, whose objects are as large as on a
// microcontroller. `node measure.mjs FOLDER`: FOLDER is what onemo_tools.bench.device made.
// The collector runs only between calls of runPython, so what has to be collected ends a call.

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadMicroPython } from '@micropython/micropython-webassembly-pyscript/micropython.mjs';

const HEAP = 4 << 20; // bytes

// This build has no MD5, which the library needs: the first half of a SHA-256 stands in for it.
const MD5 = `
import sys, hashlib
class _Hash:
    def __init__(self):
        self._hash = hashlib.sha256()
    def update(self, data):
        self._hash.update(data)
    def digest(self):
        return self._hash.digest()[:16]
class _Hashlib:
    md5 = _Hash
sys.modules['hashlib'] = _Hashlib
`;

const folder = process.argv[2];

async function start() {
    const said = [];
    const mp = await loadMicroPython({ heapsize: HEAP, linebuffer: true, stdout: (line) => said.push(line) });
    const put = (from, to) => {
        mp.FS.mkdir(to);
        for (const entry of readdirSync(from, { withFileTypes: true })) {
            if (entry.isDirectory()) {
                put(join(from, entry.name), `${to}/${entry.name}`);
            } else {
                mp.FS.writeFile(`${to}/${entry.name}`, readFileSync(join(from, entry.name)));
            }
        }
    };
    put(folder, '/bench');
    mp.runPython(`import sys\nsys.path.insert(0, '/bench')`);
    mp.runPython(MD5);
    const value = (code) => {
        mp.runPython(`import json\nprint(json.dumps(${code}))`);
        return JSON.parse(said[said.length - 1]);
    };
    const live = () => {
        mp.runPython('import gc\ngc.collect()');
        return value('gc.mem_alloc()');
    };
    return { mp, value, live };
}

async function imported(code) {
    // Live bytes after an import.
    const { mp, live } = await start();
    mp.runPython('import binascii, io, time, select');
    const before = live();
    mp.runPython(code);
    return live() - before;
}

async function importedFromRom(code) {
    // The same with the library in a ROMFS image, which is not counted: on a board it is in flash.
    const { mp, live } = await start();
    mp.runPython('import binascii, io, time, select, vfs');
    mp.runPython(`with open('/bench/onemo.romfs', 'rb') as file:\n    image = file.read()`);
    mp.runPython(`vfs.mount(vfs.VfsRom(image), '/rom')\nsys.path.insert(0, '/rom')`);
    const before = live();
    mp.runPython(code);
    mp.runPython(`assert sys.modules['onemo'].__file__.startswith('/rom')`);
    return live() - before;
}

function pem(size) {
    const digest = createHash('sha256').update(readFileSync(join(folder, `${size}.pem`))).digest('hex');
    return `(${size}, '/bench/${size}.pem', '${digest.slice(0, 32)}')`;
}

const { mp, value } = await start();
const pems = `[${pem(4096)}, ${pem(8192)}]`;
mp.runPython('import allocations');
const modem = 'from onemo import Modem';
const loaded = `${modem}\nimport onemo.at_resync, onemo.certs, onemo.md5, onemo.cert_pem, onemo.cert_upload\nfrom onemo.models import identify\nmodel = identify("ML307R")[1]\ndel identify\nfrom onemo import _port\n_port.unload("models")`;
console.log(JSON.stringify({
    ours: value(`allocations.ours(${pems})`),
    plain: value(`allocations.peer(${pems})`),
    live: { import: await imported(modem), loaded: await imported(loaded) },
    rom: { import: await importedFromRom(modem), loaded: await importedFromRom(loaded) },
}));
