# SPDX-License-Identifier: MIT
"""The made tables and sentences of README and docs in Chinese.

What is not listed here stays English, so that a new row or sentence is seen and nothing is lost:
`python -m onemo_tools.lint.translated` names it.
"""

import re
from collections.abc import Iterator

# Cells of tables, or parts of them between commas
CELLS = {
    # models
    "series": "系列",
    "sub-models": "子型号",
    "connections": "连接数",
    "certificates go in": "证书写入方式",
    "encodings": "编码",
    "after deep sleep": "深度休眠后",
    "TLS connections": "TLS 连接",
    "versions": "TLS 版本",
    "as delivered": "出厂状态",
    "known from": "依据",
    "in the command": "在指令内",
    "behind `>`": "在 `>` 之后",
    "escaped": "转义",
    "all": "全部",
    "yes": "是",
    "no": "否",
    "none": "无",
    "kept": "保留",
    "after each boot too": "每次启动后也需要",
    "if the module takes it": "模组支持时可用",
    "2 at once": "同时 2 个",
    "the module is asked": "询问模组",
    "awake": "唤醒",
    "sleeps": "休眠",
    "not known": "未知",
    "SSL manual V5.3.0": "SSL 手册 V5.3.0",
    "later manuals": "较新的手册",
    "field": "现场",
    "one other source": "另一来源",
    # commands
    "command": "指令",
    "manual": "手册",
    "method": "方法",
    "call": "调用",
    # libraries
    "library": "库",
    "from": "来源",
    "blocking: no TLS": "阻塞：无 TLS",
    "blocking: TLS in the module": "阻塞：模组做 TLS",
    "blocking: TLS on the board": "阻塞：MCU 做 TLS",
    "asyncio: no TLS": "asyncio：无 TLS",
    "asyncio: TLS in the module": "asyncio：模组做 TLS",
    "asyncio: TLS on the board": "asyncio：MCU 做 TLS",
    "unchanged": "原样",
    "not": "不行",
    "6 lines": "6 行",
    "its calls": "相同调用",
    "in MicroPython": "MicroPython 自带",
    # bench
    "figure": "指标",
    "limit": "极限",
    "promised": "承诺",
    "plain script": "普通脚本",
    "**allocated, 64-bit**": "**分配的堆，64 位**",
    "`AT+CSQ`, its result included": "`AT+CSQ`，含结果",
    "information line that is not the result": "不属于结果的信息行",
    "upload of 8192 bytes from a file, verified": "从文件写入 8192 字节并校验",
    "read-back of 8192 bytes": "读回 8192 字节",
    "`ciphers()` of 207 suites": "`ciphers()`，207 个套件",
    "TLS connection: opened, a message, closed": "TLS 连接：建立、一条消息、关闭",
    "`from onemo import Modem`, in ROMFS": "`from onemo import Modem`，在 ROMFS 中",
    "live after `from onemo import Modem`": "`from onemo import Modem` 之后占用",
    "refill of the buffer, writing": "写入时重填缓冲区",
    "asyncio: `AT+CSQ`": "asyncio：`AT+CSQ`",
    "**live heap after import, 64-bit**": "**导入后占用的堆，64 位**",
    "all that provisioning loads": "证书配置所加载的全部",
    "all that provisioning loads, in ROMFS": "证书配置所加载的全部，在 ROMFS 中",
    "the same although it is there": "同上，模组里已有相同内容时",
    "a message in it, there and back": "其中一条消息往返",
    "**live heap of a product, its objects included, 64-bit**": "**产品的堆占用，含其对象，64 位**",
    "after start, sync and connect": "start、sync 和 connect 之后",
    "asyncio: after start, sync and connect": "asyncio：start、sync 和 connect 之后",
    "at most while sync uploads": "sync 写入时最多",
    "after start and an upload": "start 和一次写入之后",
    "the first, in ROMFS": "第一项，在 ROMFS 中",
    "the second, in ROMFS": "第二项，在 ROMFS 中",
    "**smallest heap, 64-bit**": "**最小的堆，64 位**",
    "program that uploads 8192 bytes": "写入 8192 字节的程序",
    "free heap that the upload needs beyond a command's": "写入比一条指令多需要的空闲堆",
    "**32-bit heap**": "**32 位堆**",
    "allocated: `AT+CSQ`, its result included": "分配：`AT+CSQ`，含结果",
    "allocated: upload of 8192 bytes": "分配：写入 8192 字节",
    "live with all that provisioning loads": "加载证书配置的全部之后占用",
    "**flash**": "**flash**",
    "`.mpy` that provisioning loads": "证书配置所加载的 `.mpy`",
    "**on the wire, 8192-byte PEM**": "**线路上，8192 字节的 PEM**",
    "bytes beyond the PEM, into an empty store": "PEM 以外的字节，存储为空时",
    "time over the line's limit, 115200 bit/s": "时间与线路极限之比，115200 bit/s",
    "time over the line's limit, 921600 bit/s": "时间与线路极限之比，921600 bit/s",
    "in real time, best of five, 115200 bit/s": "实际时间，五次取最好，115200 bit/s",
    "in real time, best of five, 921600 bit/s": "实际时间，五次取最好，921600 bit/s",
    "**streams, time over the payload's own**": "**流，时间与数据本身所需之比**",
    "reads of 64 B, 1 KB ahead, 115200": "每次读 64 B，预读 1 KB，115200",
    "writes of 64 B, buffered, 115200": "每次写 64 B，有缓冲，115200",
    "writes of 64 B, unbuffered, 115200": "每次写 64 B，无缓冲，115200",
    "**proof in the opening of a mutual TLS connection**": "**建立双向 TLS 连接时的验证**",
    "bytes, both directions": "字节数，双向合计",
    "time at 115200 bit/s": "时间，115200 bit/s",
    "**time of the driver's own work on this machine**": "**驱动自身在本机上的用时**",
    "8 KB upload over 1 KB upload": "写入 8 KB 与写入 1 KB 之比",
    "**RP2040 at 125 MHz, real firmware, emulated**": "**RP2040，125 MHz，真实固件，模拟**",
    "information line": "信息行",
    "payload byte out, verified": "发出一个数据字节，含校验",
    "payload byte in": "收到一个数据字节",
    "awake: upload of 8192 bytes at 115200 bit/s": "CPU 占用：115200 bit/s 写入 8192 字节",
    "awake: read-back of 8192 bytes at 115200 bit/s": "CPU 占用：115200 bit/s 读回 8192 字节",
    "lost of 8192 bytes: 921600 bit/s, `rxbuf` 256": "8192 字节中丢失：921600 bit/s，`rxbuf` 256",
    "lost of 8192 bytes: 921600 bit/s, default": "8192 字节中丢失：921600 bit/s，缺省",
    "lost of a list of 1.4 KB: 921600 bit/s, `rxbuf` 256": "1.4 KB 列表中丢失：921600 bit/s，`rxbuf` 256",
    "lost of a list of 1.4 KB: 921600 bit/s, `rxbuf` 1024": "1.4 KB 列表中丢失：921600 bit/s，`rxbuf` 1024",
    "lost of a list of 1.4 KB: 921600 bit/s, default": "1.4 KB 列表中丢失：921600 bit/s，缺省",
    "live after `from onemo import Modem`: from files": "`from onemo import Modem` 之后占用的堆：从文件",
    "live after `from onemo import Modem`: in ROMFS": "`from onemo import Modem` 之后占用的堆：在 ROMFS 中",
    "live after `from onemo import Modem`: frozen": "`from onemo import Modem` 之后占用的堆：冻结在固件里",
    "live with all that provisioning loads: from files": "加载证书配置的全部之后占用的堆：从文件",
    "live with all that provisioning loads: in ROMFS": "加载证书配置的全部之后占用的堆：在 ROMFS 中",
    "live with all that provisioning loads: frozen": "加载证书配置的全部之后占用的堆：冻结在固件里",
    "mutual TLS by the module: opened in": "模组做双向 TLS：建立用时",
    "mutual TLS by the module: heap once open": "模组做双向 TLS：建立后的堆",
    "mutual TLS by the module: heap of one more": "模组做双向 TLS：每多一个连接的堆",
    "mutual TLS on the board, P-256: opened in": "MCU 做双向 TLS，P-256：建立用时",
    "mutual TLS on the board, P-256: heap at most": "MCU 做双向 TLS，P-256：堆的最大值",
    "mutual TLS on the board, RSA-2048: opened in": "MCU 做双向 TLS，RSA-2048：建立用时",
    "mutual TLS on the board, RSA-2048: heap at most": "MCU 做双向 TLS，RSA-2048：堆的最大值",
    "longest gap of a 5 ms task: upload at 115200 bit/s": "5 ms 任务的最长间隔：115200 bit/s 写入",
    "longest gap of a 5 ms task: read-back at 115200 bit/s": "5 ms 任务的最长间隔：115200 bit/s 读回",
}

SENTENCES = {
    "## What it costs": "## 开销",
    "`make bench` measures this on real MicroPython, the modules compiled as they go to a board, "
    "and writes `docs/bench.json` (all figures, module by module) and this table.": "`make bench` "
    "在真正的 MicroPython 上测量，模块按部署到开发板的方式编译，并写出 `docs/bench.json`（逐个模块的"
    "全部数字）和此表。",
    "Objects on the 64-bit unix port take twice what they take on a microcontroller; the 32-bit "
    "figures are from MicroPython's WebAssembly build.": "64 位 unix 移植上的对象占用是单片机上的两倍；"
    "32 位的数字来自 MicroPython 的 WebAssembly 构建。",
    "Limit: what no driver could go below.": "极限：任何驱动都不可能更低。",
    "The plain script reads the PEM into a string and writes it; it looks at no PEM and verifies "
    "nothing.": "普通脚本把 PEM 读成字符串再写出；它不看 PEM，也不校验任何东西。",
    "![The figures beside their limits](docs/bench.svg)": "![各项数字与极限](docs/bench.svg)",
    "The time is that of a verified upload in packets of 2048 bytes, over what all its bytes need "
    "on the line: first on a clock that stands still while the driver thinks, then in real time on "
    "a PC, where the best of five counts.": "时间是以 2048 字节的包写入并校验所用的时间，与其全部字节在"
    "线路上所需时间之比：先用驱动思考时静止的时钟，再用 PC 上的实际时间，五次取最好。",
    "The last rows are those of a chip: a MicroPython firmware built from Debian's sources runs in "
    "an emulated RP2040, at whose UART a script answers in the chip's own time.": "最后几行属于芯片："
    "由 Debian 源码构建的 MicroPython 固件运行在模拟的 RP2040 里，UART 对端的脚本按芯片自己的时间应答。",
    "Cycles are those that the processor is awake, on a line that keeps nobody waiting; "
    "instructions come from a flash that is always in the cache.": "周期数是处理器没有休眠的周期，线路"
    "不让任何一方等待；指令来自始终命中缓存的 flash。",
    "Lost is what overran while 8192 bytes came back to back.": "丢失指 8192 字节连续到来时溢出的字节。",
    "The gap is the longest that a task, which wants to run every 5 ms, had to wait beside the "
    "asyncio front; the plain script lets none run before it is through.": "间隔指一个想每 5 ms 运行一次"
    "的任务，在 asyncio 前端旁边最长等了多久；普通脚本在结束之前不让任何任务运行。",
    "Mutual TLS is with a real server, through the simulated module, whose own TLS takes no time.": "双向 TLS 经由模拟模组与真实的服务器进行，模组自身的 TLS 不花时间。",
    "What is live after start, sync and connect is what a product has for good; what is needed "
    "once is gone by then.": "start、sync 和 connect 之后的占用是产品长期的占用；只用一次的东西那时已经放掉。",
    "From files the code is loaded into RAM; in ROMFS (`./onemo deploy --romfs`, where the "
    "firmware has such a partition) it stays in flash and runs there.": "从文件运行时，代码加载到内存；在 "
    "ROMFS 中（`./onemo deploy --romfs`，固件要有这样的分区）代码留在 flash 里直接运行。",
    "`micropython-am7020` 1.0.4, the only MicroPython modem driver that we found on PyPI, is for "
    "another module and has no calls for certificates.": "`micropython-am7020` 1.0.4 是我们在 PyPI 上找到的"
    "唯一的 MicroPython 模组驱动，它是为另一种模组编写的，没有证书接口。",
    "The upload is ours, built from its calls in pieces of 256 bytes; it verifies nothing.": "表中的写入"
    "由我们用它的接口写成，每次 256 字节；它不校验任何东西。",
    "Its figure for the import is for its main class alone.": "它的“导入”一项只计入它的主类。",
    "The driver does far less than onemo, so its code takes less heap; it collects each answer byte "
    "by byte in a string.": "这个驱动做的事比 onemo 少得多，所以代码占用的堆较少；它把每个应答逐字节拼接成字符串。",
}


PARTS = ("models", "commands", "libraries", "bench", "calls")


def chinese(part: str) -> str:
    """A made part, with all that is known here in Chinese."""
    made = "\n".join(_block(block) for block in re.split(r"\n(?=\n)", part))
    return made.replace(" (not reached)", "（未达到）")


def unknown(part: str) -> Iterator[str]:
    """Sentences and rows of a part that have no Chinese."""
    for line in chinese(part).splitlines():
        cell = line.split("|")[1].strip() if line.startswith("|") else line
        if re.search(r"[a-z]{3,} [a-z]{2,}", cell) and not re.search("[\u4e00-\u9fff`]", cell):
            yield cell


def _block(block: str) -> str:
    if block.strip().startswith("|"):
        return "\n".join(map(_row, block.split("\n")))
    text = " ".join(block.split())
    if not text:
        return block
    return (
        "\n" * (len(block) - len(block.lstrip("\n"))) + _prose(text) + "\n" * block.endswith("\n")
    )


def _prose(text: str) -> str:
    made = ""
    while text:
        known = next((sentence for sentence in SENTENCES if text.startswith(sentence)), None)
        if known:
            made += SENTENCES[known]
            text = text.removeprefix(known).lstrip()
            continue
        sentence, stop, text = text.partition(". ")
        made += sentence + stop
    return made


def _row(line: str) -> str:
    if not line.startswith("|"):
        return line
    cells = re.split(r"(?<!\\)\|", line)
    return "|".join(re.sub(r"^(\s*)(.*?)(\s*)$", _cell, cell) for cell in cells)


def _cell(found: re.Match[str]) -> str:
    text = found[2]
    if text in CELLS:
        return found[1] + CELLS[text] + found[3]
    parts = text.split(", ")
    if len(parts) > 1 and any(part in CELLS for part in parts):
        text = "，".join(CELLS.get(part, part) for part in parts)
    return found[1] + text + found[3]
