// SPDX-License-Identifier: MIT
// One board in a process of its own; board.py is the other end. It hands down descriptors: the
// control line (JSON, one object a line, each way), the console, the UARTs' lines. Emulated time
// never runs ahead of the wall clock, unless `paced` is false.
import fs from 'node:fs';
import net from 'node:net';
import { Chip } from './chip.mjs';
import { Script } from './script.mjs';

const SLICE_MS = 4, AHEAD_MS = 2, BEHIND_MS = 50, SLEEP_MS = 5;
const STEPS = 4000;
const LINE_MOST = 4096; // bytes under way to a UART, before its other end has to wait

const settings = JSON.parse(process.argv[2]);
const file = fs.openSync(settings.flash, 'r+');
const flash = new Uint8Array(16 * 1024 * 1024).fill(0xff);
fs.readSync(file, flash, 0, fs.fstatSync(file).size, 0);
const bootrom = JSON.parse(fs.readFileSync(settings.bootrom));

const open = (fd) => {
  const socket = new net.Socket({ fd, readable: true, writable: true });
  socket.on('error', () => {});
  return socket;
};
const control = open(settings.control), console_ = open(settings.console);
const tell = (what) => control.write(JSON.stringify(what) + '\n');

const lines = {};
const LOOP = { take: (byte, uart) => uart.put([byte]) };
const peers = {}; // UART -> what takes its bytes instead of a line: a script, or a wire to its RX
for (const uart of settings.wired) peers[uart] = LOOP;
let toLine = {};
let paced = settings.paced, wall0 = 0, emulated0 = 0;
let timer = null, scheduled = false;

const chip = new Chip(bootrom, flash, file, {
  booted: (cause) => {
    wall0 = performance.now();
    emulated0 = 0;
    tell({ event: 'boot', cause });
  },
  off: () => tell({ event: 'off' }),
  broken: (text) => tell({ event: 'broken', text }),
  connected: () => tell({ event: 'connected' }),
  console: (data) => console_.write(data),
  pin: (pin, value) => tell({ event: 'pin', pin, value }),
  broke: (uart) => tell({ event: 'break', uart }),
  baud: (uart, baud) => {
    chip.held = true; // goes on when the host has heard of it
    tell({ event: 'baud', uart, baud });
  },
  sent: (uart, byte) => {
    if (peers[uart]) peers[uart].take(byte, chip.uarts[uart], chip.clock);
    else (toLine[uart] ??= []).push(byte);
  },
});

for (const [uart, fd] of Object.entries(settings.uarts)) {
  const line = (lines[uart] = open(fd));
  line.on('data', (data) => {
    if (!chip.on) return;
    chip.uarts[uart].put(data);
    if (chip.uarts[uart].onTheLine > LINE_MOST) line.pause();
    wake();
  });
}
console_.on('data', (data) => {
  if (chip.on) chip.type(data);
  wake();
});
control.on('end', () => process.exit(0));

const ACTIONS = {
  boot: ({ cause }) => chip.boot(cause),
  reset: ({ cause }) => chip.reset(cause),
  cut: () => chip.powerOff(),
  cutAfter: ({ writes }) => (chip.cutAt = writes === null ? Infinity : chip.flashOps + writes),
  pin: ({ pin, value }) => chip.setPin(pin, value),
  heard: () => (chip.held = false),
  pace: ({ paced: on }) => {
    paced = on;
    wall0 = performance.now();
    emulated0 = chip.on ? chip.clock.nanos : 0;
  },
  script: ({ uart, script }) => (peers[uart] = script && new Script(script)),
  profile: ({ on }) => {
    const found = chip.profile;
    chip.profile = on ? {} : null;
    return found;
  },
  stats: () => ({
    ...chip.mark(),
    marks: chip.marks.splice(0),
    flashOps: chip.flashOps,
    uarts: chip.on ? chip.uarts.map((uart) => ({ ...uart.counts, baud: uart.baud })) : [],
  }),
};
let said = '';
control.on('data', (data) => {
  said += data;
  const whole = said.split('\n');
  said = whole.pop();
  for (const text of whole) {
    const request = JSON.parse(text);
    const answer = ACTIONS[request.do](request);
    if (request.id !== undefined) tell({ id: request.id, answer: answer ?? null });
  }
  wake();
});

function wake() {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  if (!scheduled) {
    scheduled = true;
    setImmediate(loop);
  }
}

function pass() {
  for (const [uart, bytes] of Object.entries(toLine)) lines[uart]?.write(Buffer.from(bytes));
  toLine = {};
  for (const [uart, line] of Object.entries(lines)) {
    if (line.isPaused() && chip.uarts[uart].onTheLine <= LINE_MOST) line.resume();
  }
}

function loop() {
  scheduled = false;
  if (!chip.on || chip.held) return; // until a request comes
  const end = performance.now() + SLICE_MS;
  let ahead;
  do {
    const due = (performance.now() - wall0) * 1e6 + emulated0;
    ahead = (chip.clock.nanos - due) / 1e6;
    if (paced && ahead > AHEAD_MS) break;
    try {
      chip.run(STEPS, paced ? Math.max(AHEAD_MS - ahead, 0.01) * 1e6 : 1e9);
    } catch (error) { // rp2040js throws where a chip would fault
      tell({ event: 'broken', text: error.message });
      chip.powerOff();
    }
  } while (chip.on && !chip.held && performance.now() < end);
  if (chip.on && paced && ahead < -BEHIND_MS) { // slower than life: time lost is not made good
    wall0 = performance.now();
    emulated0 = chip.clock.nanos;
  }
  pass();
  if (!chip.on || chip.held) return;
  if (paced && ahead > AHEAD_MS - 1) timer = setTimeout(wake, Math.min(ahead, SLEEP_MS));
  else wake();
}

tell({ event: 'ready' });
