// SPDX-License-Identifier: MIT
// A PL011 as the RP2040 has it: FIFOs with levels, receive timeout, overrun, and the time that
// bytes take on the line. rp2040js's own UART has none of these.
import { BasePeripheral } from 'rp2040js';

const DR = 0x00, FR = 0x18, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30, IFLS = 0x34;
const IMSC = 0x38, RAW = 0x3c, MASKED = 0x40, ICR = 0x44, DMACR = 0x48;
const PERIPHERAL_ID = { 0xfe0: 0x11, 0xfe4: 0x10, 0xfe8: 0x34, 0xfec: 0 };
const BRK = 1, FEN = 1 << 4; // LCR_H
const UARTEN = 1, LBE = 1 << 7, RXE = 1 << 9, RTSEN = 1 << 14; // CR
const RX = 1 << 4, TX = 1 << 5, RT = 1 << 6, OE = 1 << 10; // interrupts
const OVERRUN = 1 << 11; // in DR, with the byte before which others were lost
const DEPTH = 32;
const LEVELS = [4, 8, 16, 24, 28, 28, 28, 28]; // 1/8, 1/4, 1/2, 3/4, 7/8
const TIMEOUT_BITS = 32;

export class PL011 extends BasePeripheral {
  // `wire` hears what leaves: byte(value), baud(rate), break(). `old`: rp2040js's own, replaced.
  constructor(mcu, old, wire) {
    super(mcu, old.name);
    Object.assign(this, { irq: old.irq, dreq: old.dreq, wire });
    const clock = mcu.clock;
    this.txAlarm = clock.createAlarm(() => this.sent());
    this.rtAlarm = clock.createAlarm(() => {
      if (this.rx.length) this.raise(RT);
    });
    this.lineAlarm = clock.createAlarm(() => this.arrived());
    this.line = []; // on its way to us
    this.lineAt = 0;
    this.lineBusy = false;
    this.counts = { received: 0, sent: 0, lost: 0, deepest: 0 };
    this.reset();
  }
  reset() {
    Object.assign(this, { cr: 0x300, lcr: 0, ibrd: 0, fbrd: 0, ifls: 0x12, imsc: 0, ris: 0 });
    Object.assign(this, { rx: [], tx: [], shifting: -1, overrun: 0, told: 0 });
    this.txAlarm.cancel();
    this.rtAlarm.cancel();
    this.update();
  }
  clkPeriChanged() {}

  // -- the settings -----------------------------------------------------------------------
  get baud() {
    return this.ibrd ? this.rp2040.clkPeri / (16 * (this.ibrd + this.fbrd / 64)) : 0;
  }
  get bitNs() {
    return this.ibrd ? 1e9 / this.baud : 1000;
  }
  get charNs() {
    const { lcr } = this;
    const bits = 5 + ((lcr >> 5) & 3) + ((lcr >> 1) & 1) + 1 + ((lcr >> 3) & 1);
    return this.bitNs * (1 + bits);
  }
  get depth() {
    return this.lcr & FEN ? DEPTH : 1;
  }
  get rxLevel() {
    return this.lcr & FEN ? LEVELS[(this.ifls >> 3) & 7] : 1;
  }
  get txLevel() {
    return this.lcr & FEN ? LEVELS[this.ifls & 7] : 0;
  }
  update() {
    this.rp2040.setInterrupt(this.irq, !!(this.ris & this.imsc));
  }
  raise(bits) {
    this.ris |= bits;
    this.update();
  }
  drop(bits) {
    this.ris &= ~bits;
    this.update();
  }

  // -- sending ----------------------------------------------------------------------------
  sent() {
    const byte = this.shifting;
    this.shifting = -1;
    this.counts.sent++;
    if (this.tx.length) {
      this.shifting = this.tx.shift();
      this.txAlarm.schedule(this.charNs);
      if (this.tx.length === this.txLevel) this.raise(TX);
    }
    if (this.cr & LBE) this.take(byte);
    else this.wire.byte(byte);
  }
  send(byte) {
    if (!(this.cr & UARTEN)) return;
    if (this.shifting < 0 && !this.tx.length) {
      this.shifting = byte;
      this.txAlarm.schedule(this.charNs);
    } else if (this.tx.length < this.depth) this.tx.push(byte);
    if (this.tx.length > this.txLevel) this.drop(TX);
  }

  // -- receiving --------------------------------------------------------------------------
  // Bytes that the other end sends from now on, one after the other without a pause.
  put(bytes) {
    for (const byte of bytes) this.line.push(byte);
    if (!this.lineBusy && this.line.length) {
      this.lineBusy = true;
      this.lineAlarm.schedule(this.charNs);
    }
  }
  get onTheLine() {
    return this.line.length - this.lineAt;
  }
  arrived() {
    if (this.cr & RTSEN && this.rx.length >= this.rxLevel) {
      this.lineAlarm.schedule(this.charNs); // RTS is off: the other end waits
      return;
    }
    const byte = this.line[this.lineAt++];
    if (this.lineAt >= this.line.length) {
      this.line = [];
      this.lineAt = 0;
      this.lineBusy = false;
    } else this.lineAlarm.schedule(this.charNs);
    this.take(byte);
  }
  take(byte) {
    if (!(this.cr & UARTEN) || !(this.cr & RXE)) return;
    this.counts.received++;
    if (this.rx.length >= this.depth) {
      this.counts.lost++;
      this.overrun = OVERRUN;
      this.raise(OE);
    } else {
      this.rx.push(byte | this.overrun);
      this.overrun = 0;
      this.counts.deepest = Math.max(this.counts.deepest, this.rx.length);
      if (this.rx.length === this.rxLevel) this.raise(RX);
    }
    this.rtAlarm.schedule(this.bitNs * TIMEOUT_BITS);
  }
  receive() {
    const value = this.rx.length ? this.rx.shift() : 0;
    if (this.rx.length < this.rxLevel) this.ris &= ~RX;
    if (!this.rx.length) {
      this.ris &= ~RT;
      this.rtAlarm.cancel();
    }
    this.update();
    return value;
  }

  // -- registers --------------------------------------------------------------------------
  get flags() {
    const { rx, tx, depth } = this;
    const busy = this.shifting >= 0 || tx.length;
    return 1 | (busy ? 8 : 0) | (rx.length ? 0 : 0x10) | (tx.length >= depth ? 0x20 : 0)
      | (rx.length >= depth ? 0x40 : 0) | (tx.length ? 0 : 0x80);
  }
  readUint32(offset) {
    switch (offset) {
      case DR: return this.receive();
      case FR: return this.flags;
      case IBRD: return this.ibrd;
      case FBRD: return this.fbrd;
      case LCR_H: return this.lcr;
      case CR: return this.cr;
      case IFLS: return this.ifls;
      case IMSC: return this.imsc;
      case RAW: return this.ris;
      case MASKED: return this.ris & this.imsc;
    }
    return PERIPHERAL_ID[offset] ?? 0;
  }
  writeUint32(offset, value) {
    switch (offset) {
      case DR: this.send(value & 0xff); break;
      case IBRD: this.ibrd = value & 0xffff; break;
      case FBRD: this.fbrd = value & 0x3f; break;
      case LCR_H: this.setFormat(value); break;
      case CR: this.cr = value; break;
      case IFLS: this.ifls = value; break;
      case IMSC: this.imsc = value & 0x7ff; this.update(); break;
      case ICR: this.drop(this.rawWriteValue); break;
      case DMACR: break;
    }
  }
  setFormat(value) {
    const changed = value ^ this.lcr;
    if (changed & FEN) {
      this.rx = [];
      this.tx = [];
      this.ris &= ~(RX | RT);
    }
    this.lcr = value;
    this.update();
    if (changed & value & BRK) this.wire.break();
    if (this.ibrd && this.baud !== this.told) {
      this.told = this.baud; // a divisor is taken over when LCR_H is written
      this.wire.baud(this.baud);
    }
  }
}
