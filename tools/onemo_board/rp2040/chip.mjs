// SPDX-License-Identifier: MIT
// What rp2040js leaves to others: flash by the boot ROM's functions, a USB host, resets, and the
// few registers that MicroPython's firmware reads. One object is one board; boot() is its reset.
import fs from 'node:fs';
import { BasePeripheral, ConsoleLogger, LogLevel, Simulator, USBCDC } from 'rp2040js';
import { PL011 } from './pl011.mjs';

const XIP = 0x10000000, SECTOR = 4096, PAGE = 256;
const ERASE_NS = 45e6, PROGRAM_NS = 0.7e6; // a W25Q16's typical times: a sector, a page
const UART_RESET = [1 << 22, 1 << 23]; // in RESETS
const CDC_PACKET = 64;
// the boot ROM's functions that have to do with flash, by their codes in its table
const ROM_FUNCTIONS = { IF: 0, EX: 0, FC: 0, CX: 0, RE: 1, RP: 2 };
const ROM_TABLE_AT = 0x14, BKPT = 0xbe00;
const SAMPLE_EVERY = 97; // instructions; a prime, so that loops do not fall in step with it

class Register extends BasePeripheral {
  constructor(mcu, name, read, write = () => {}) {
    super(mcu, name);
    this.readUint32 = read;
    this.writeUint32 = write;
  }
}

export class Chip {
  // `bootrom`: words; `flash`: 16 MiB; `file`: where flash is kept; `hooks`: see emulator.mjs.
  constructor(bootrom, flash, file, hooks) {
    Object.assign(this, { flash, file, hooks, marks: [], profile: null, inputs: new Map() });
    this.bootrom = this.patched(bootrom);
    this.flashOps = 0; // pages programmed and sectors erased
    this.cutAt = Infinity; // the one in the middle of which power fails
    this.held = false; // waits until the host has heard something
    this.usbQueue = [];
    this.on = false;
  }
  patched(words) {
    const rom = Uint32Array.from(words);
    const half = new Uint16Array(rom.buffer);
    for (let at = half[ROM_TABLE_AT >> 1] >> 1; half[at]; at += 2) {
      const code = String.fromCharCode(half[at] & 0xff, half[at] >> 8);
      if (code in ROM_FUNCTIONS) half[half[at + 1] >> 1] = BKPT | ROM_FUNCTIONS[code];
    }
    return rom;
  }

  // -- power and resets -------------------------------------------------------------------
  boot(cause, kept = null) {
    const sim = new Simulator();
    const mcu = (this.mcu = sim.rp2040);
    Object.assign(this, { clock: sim.clock, core: mcu.core, resetBy: null, on: true });
    this.instructions = this.idleNs = this.flashNs = 0; // since the boot
    mcu.logger = new ConsoleLogger(LogLevel.Error);
    mcu.flash = this.flash;
    mcu.flash16 = new Uint16Array(this.flash.buffer);
    mcu.flashView = new DataView(this.flash.buffer);
    mcu.bootrom.set(this.bootrom);
    mcu.core.reset();
    mcu.core.PC = XIP; // the boot ROM's choice, with a second stage in flash
    mcu.onBreak = (code) => this.romFunction(code);
    this.wireUarts();
    this.wirePins();
    this.wireUsb();
    const resets = mcu.peripherals[0x4000c], write = resets.writeUint32.bind(resets);
    resets.writeUint32 = (offset, value) => {
      if (offset === 0) UART_RESET.forEach((bit, i) => value & bit && this.uarts[i].reset());
      write(offset, value);
    };
    const watchdog = (this.watchdog = mcu.peripherals[0x40058]);
    watchdog.onWatchdogTrigger = () => (this.resetBy = 'watchdog');
    if (kept) { // these registers outlive a reset by the watchdog
      watchdog.scratchData.set(kept.scratchData);
      watchdog.reason = kept.reason;
    }
    let noise = 1;
    const random = () => ((noise = (noise * 1103515245 + 12345) >>> 0) >> 16) & 1;
    const set = (page, ...rest) => (mcu.peripherals[page] = new Register(mcu, ...rest));
    set(0x40018, 'IO_QSPI', () => 0);
    set(0x40060, 'ROSC', (offset) => (offset === 0x18 ? 0x80001000 : random()));
    set(0x40064, 'VREG_AND_CHIP_RESET', (offset) => (offset === 8 ? 0x100 : 0));
    set(0x40070, 'MARKS', () => 0, (_, value) => this.marks.push(this.mark(value)));
    this.hooks.booted(cause);
  }
  reset(cause) {
    this.boot(cause, cause === 'watchdog' ? this.watchdog : null);
  }
  powerOff() {
    this.on = false;
    this.usbQueue = [];
    this.hooks.off();
  }

  // -- UARTs and pins ---------------------------------------------------------------------
  wireUarts() {
    const { mcu, hooks } = this;
    this.uarts = [0, 1].map((id) => {
      const wire = {
        byte: (byte) => hooks.sent(id, byte),
        baud: (baud) => hooks.baud(id, Math.round(baud)),
        break: () => hooks.broke(id),
      };
      return (mcu.uart[id] = mcu.peripherals[0x40034 + 4 * id] = new PL011(mcu, mcu.uart[id], wire));
    });
  }
  wirePins() {
    this.mcu.gpio.forEach((pin, number) => {
      pin.addListener((state) => state < 2 && this.hooks.pin(number, state));
      if (this.inputs.has(number)) pin.setInputValue(this.inputs.get(number));
    });
  }
  setPin(number, value) {
    this.inputs.set(number, !!value);
    if (this.on) this.mcu.gpio[number].setInputValue(!!value);
  }

  // -- USB: a host with nothing to say answers a poll with nothing, not with empty packets --
  wireUsb() {
    const usb = this.mcu.usbCtrl;
    this.cdc = new USBCDC(usb);
    this.usbQueue = [];
    this.usbAsked = null;
    this.cdc.onDeviceConnected = () => this.hooks.connected();
    this.cdc.onSerialData = (data) => this.hooks.console(data);
    usb.onEndpointRead = (endpoint, size) => {
      if (endpoint !== this.cdc.outEndpoint) return;
      this.usbAsked = { endpoint, size };
      this.feedUsb();
    };
  }
  type(bytes) {
    for (const byte of bytes) this.usbQueue.push(byte);
    this.feedUsb();
  }
  feedUsb() {
    if (!this.usbAsked || !this.usbQueue.length || !this.on) return;
    const { endpoint, size } = this.usbAsked;
    this.usbAsked = null;
    const packet = this.usbQueue.splice(0, Math.min(size, CDC_PACKET));
    this.mcu.usbCtrl.endpointReadDone(endpoint, Uint8Array.from(packet));
  }

  // -- flash ------------------------------------------------------------------------------
  romFunction(code) {
    const { core } = this, r = core.registers;
    if (core.PC >= 0x4000) { // a breakpoint of the firmware's own: it has panicked
      this.hooks.broken(`breakpoint ${code} at ${(core.PC - 2).toString(16)}`);
      return this.powerOff();
    }
    if (code === 1) this.change(r[0], r[1], SECTOR, ERASE_NS, () => 0xff);
    else if (code === 2) {
      const from = r[1];
      this.change(r[0], r[2], PAGE, PROGRAM_NS, (at, old) => old & this.mcu.readUint8(from + at));
    }
    core.PC = core.LR & ~1;
  }
  change(start, size, step, stepNs, value) {
    for (let done = 0; done < size && this.on; done += step) {
      const cut = this.flashOps >= this.cutAt, end = done + (cut ? step / 2 : step);
      for (let at = done; at < end; at++) {
        this.flash[start + at] = value(at, this.flash[start + at]);
      }
      fs.writeSync(this.file, this.flash, start + done, end - done, start + done);
      this.flashOps++;
      if (cut) this.powerOff();
      else {
        this.flashNs += stepNs;
        this.clock.tick(stepNs); // the processor waits for it, interrupts off
      }
    }
  }

  // -- running ----------------------------------------------------------------------------
  mark(number = 0) {
    const { idleNs, flashNs } = this, ns = this.on ? this.clock.nanos : 0;
    const cycles = Math.round(((ns - idleNs - flashNs) * this.mcu.clkSys) / 1e9);
    return { number, cycles, instructions: this.instructions, idleNs, flashNs, ns };
  }
  get stopped() {
    return !this.on || this.held || this.resetBy;
  }
  // At most `count` instructions and about `mostNs`.
  run(count, mostNs) {
    const { core, clock, profile } = this, cycleNs = 1e9 / this.mcu.clkSys;
    const end = clock.nanos + mostNs;
    for (let i = 0; i < count && !this.stopped; i++) {
      if (!core.waiting) {
        clock.tick(core.executeInstruction() * cycleNs);
        this.instructions++;
        if (profile && this.instructions % SAMPLE_EVERY === 0) {
          profile[core.PC] = (profile[core.PC] || 0) + 1;
        }
      } else if (clock.nanos >= end) return;
      else {
        const ns = Math.min(Math.max(clock.nanosToNextAlarm || 1000, 8), end - clock.nanos + 8);
        this.idleNs += ns;
        clock.tick(ns);
        if (core.interruptsUpdated && core.checkForInterrupts()) core.waiting = false;
      }
    }
    if (this.on && this.resetBy) this.reset(this.resetBy);
  }
}
