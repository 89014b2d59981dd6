// SPDX-License-Identifier: MIT
// What is at a UART in measurements: a module in miniature, in the board's own time, so that
// every run is the same. A script is a list of rules; the first whose `line` a command line
// begins with is used: after `delayUs` it answers `answer` (base64), then, if it takes `bytes`
// of data, `then` once these have come.
const CR = 13;
const US = 1e3;

export class Script {
  constructor(rules) {
    this.rules = rules;
    this.line = '';
    this.left = 0;
  }
  take(byte, uart, clock) {
    if (this.left) {
      if (!--this.left) this.say(this.rule.then, uart, clock);
      return;
    }
    if (byte !== CR) {
      this.line += String.fromCharCode(byte);
      return;
    }
    const line = this.line.trim();
    this.line = '';
    this.rule = this.rules.find((rule) => line.startsWith(rule.line));
    if (!this.rule) return;
    this.left = this.rule.bytes ?? 0;
    this.say(this.rule.answer, uart, clock);
  }
  say(text, uart, clock) {
    const delay = (this.rule.delayUs ?? 1000) * US;
    clock.createAlarm(() => uart.put(Buffer.from(text, 'base64'))).schedule(delay);
  }
}
