# SPDX-License-Identifier: MIT
"""The doctor's sentences, in English and Chinese: what was found, and what to do."""

from collections.abc import Mapping
from typing import Any

from onemo import error_texts

LANGUAGES = ("en", "zh")

ROWS = {
    "port": ("port", "端口"),
    "answers": ("who answers", "应答方"),
    "micropython": ("MicroPython", "MicroPython"),
    "library": ("library", "库"),
    "config": ("config.json", "config.json"),
    "uart": ("UART", "串口"),
    "model": ("module", "模组"),
    "power": ("power", "供电"),
    "sim": ("SIM", "SIM 卡"),
    "registration": ("registration", "网络注册"),
    "signal": ("signal", "信号"),
    "apn": ("APN", "APN"),
    "address": ("IP address", "IP 地址"),
    "clock": ("clock", "时钟"),
    "store": ("certificates", "证书存储"),
    "differs": ("files", "文件比对"),
    "journal": ("rotation", "密钥轮换"),
    "dns": ("DNS", "域名解析"),
    "tcp": ("TCP", "TCP 连接"),
    "tls": ("TLS", "TLS 连接"),
    "time": ("time", "用时"),
}
STATES = {
    "ok": ("ok", "正常"),
    "note": ("note", "提示"),
    "warn": ("WARNING", "警告"),
    "bad": ("ERROR", "错误"),
    "skip": ("skipped", "跳过"),
}
HEADINGS = (("", "check", "found", "what to do"), ("", "检查项", "结果", "处理办法"))
SUMMARY = (
    "{errors} errors, {warnings} warnings",
    "{errors} 个错误，{warnings} 个警告",
)

_POWER_EN = (
    "check VBAT (3.4 to 4.2 V while it sends, up to 2 A), that the power key was held low for "
    "2 s, TX to RXD and RX to TXD, common ground, and a level shifter if the module's UART is "
    "1.8 V"
)
_POWER_ZH = (
    "检查 VBAT（发射时 3.4～4.2 V，峰值电流可达 2 A）；PWRKEY 是否已拉低 2 s；TX 接 RXD、RX 接 "
    "TXD；是否共地；模组串口为 1.8 V 时需电平转换"
)

# code -> (found, to do) in English, (found, to do) in Chinese
SENTENCES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "port-open": (("{port} opens", ""), ("{port} 可以打开", "")),
    "port-missing": (
        ("{text}", "plug it in, or give another port"),
        ("没有端口 {port}", "插好设备，或换一个端口"),
    ),
    "no-port": (
        ("{port} is no serial port", "give one such as /dev/ttyUSB0 or COM3"),
        ("{port} 不是串口", "给出串口名，例如 /dev/ttyUSB0 或 COM3"),
    ),
    "port-busy": (
        ("{port} is in use", "close the other program (`fuser {port}` names it)"),
        ("{port} 被占用", "关闭占用它的程序（`fuser {port}` 可查）"),
    ),
    "port-forbidden": (
        ("you may not use {port}", "{text}"),
        ("没有使用 {port} 的权限", "把用户加入该设备所属的组（通常是 dialout），重新登录"),
    ),
    "port-closed": (
        ("{port} cannot be opened: {text}", "unplug it and plug it in again"),
        ("{port} 打不开：{text}", "重新插拔设备"),
    ),
    "port-lost": (
        ("{port} was unplugged", "plug it in again; check cable and supply"),
        ("{port} 已断开", "重新插好；检查线缆和供电"),
    ),
    "board": (("a MicroPython board", ""), ("MicroPython 开发板", "")),
    "module": (("an AT module", ""), ("AT 模组", "")),
    "module-not-board": (
        ("an AT module, no board", "use --serial {port}"),
        ("是 AT 模组，不是开发板", "改用 --serial {port}"),
    ),
    "board-not-module": (
        ("a MicroPython board, no module", "use --board {port}"),
        ("是 MicroPython 开发板，不是模组", "改用 --board {port}"),
    ),
    "loopback": (
        ("itself: what is sent comes back", "TX is wired to RX: wire the module instead"),
        ("自发自收：发出的数据原样返回", "TX 与 RX 短接了：请接上模组"),
    ),
    "silence": (("nothing", _POWER_EN), ("无应答", _POWER_ZH)),
    "board-silent": (
        ("nothing", "is it the board's REPL port? Is the board powered? Reset it"),
        ("无应答", "确认是开发板的 REPL 端口、已供电；复位开发板"),
    ),
    "other": (
        ("something else: {heard}", "another device, or another speed: check port and wires"),
        ("其他设备：{heard}", "设备不对或波特率不对：检查端口和接线"),
    ),
    "other-baud": (
        ("an AT module at {baud} bit/s", 'use --baud {baud}, or "baud": {baud} in config.json'),
        ("AT 模组，波特率为 {baud}", '使用 --baud {baud}，或在 config.json 中设 "baud": {baud}'),
    ),
    "micropython": (("{version} on {platform}", ""), ("{version}，平台 {platform}", "")),
    "micropython-old": (
        ("{version} on {platform}", "put MicroPython 1.26 or newer on the board"),
        ("{version}，平台 {platform}", "给开发板刷入 MicroPython 1.26 或更新版本"),
    ),
    "library": (("onemo {version}", ""), ("onemo {version}", "")),
    "library-missing": (
        ("not on the board", "onemo deploy --board {port}"),
        ("开发板上没有", "运行 onemo deploy --board {port}"),
    ),
    "library-differs": (
        ("onemo {version}, this is {here}", "onemo deploy --board {port}"),
        ("onemo {version}，本工具为 {here}", "运行 onemo deploy --board {port}"),
    ),
    "config": (("can be used", ""), ("可用", "")),
    "config-missing": (
        ("not on the board", "onemo deploy puts it there (--config FILE)"),
        ("开发板上没有", "用 onemo deploy 写入（--config 文件）"),
    ),
    "config-wrong": (("{text}", "correct that entry"), ("{text}", "改正该项")),
    "config-none": (
        ("not given", "--config FILE compares the store and tries the server"),
        ("未指定", "用 --config 文件 可比对证书并测试服务器"),
    ),
    "uart-wrong": (
        ("{text}", "correct uart in config.json"),
        ("{text}", "改正 config.json 的 uart"),
    ),
    "model": (("{model}, firmware {firmware}", ""), ("{model}，固件 {firmware}", "")),
    "model-unknown": (
        ("{model}, firmware {firmware}", "not in the library's table: it is asked what it can do"),
        ("{model}，固件 {firmware}", "不在型号表中：按模组自报的能力使用"),
    ),
    "power": (("{volts} V", ""), ("{volts} V", "")),
    "power-odd": (
        ("{volts} V", "measure at VBAT while it sends: 3.4 to 4.2 V"),
        ("{volts} V", "发射时测量 VBAT：应为 3.4～4.2 V"),
    ),
    "power-not-told": (
        (
            "the module does not tell",
            "if it reboots while sending, measure VBAT then: 3.4 V at least",
        ),
        ("模组不报告电压", "若发射时重启，请测量 VBAT：不低于 3.4 V"),
    ),
    "sim": (("ready", ""), ("就绪", "")),
    "sim-missing": (
        ("none", "insert the SIM, check its holder, then reboot the module"),
        ("未检测到", "插入 SIM 卡、检查卡座，然后重启模组"),
    ),
    "sim-failure": (
        ("failure: {text}", "clean or change the SIM, then reboot the module"),
        ("故障（{number}）", "清洁或更换 SIM 卡，然后重启模组"),
    ),
    "sim-busy": (("busy", "wait some seconds and retry"), ("忙", "等几秒后重试")),
    "sim-pin": (
        ("asks for a PIN ({state})", "unlock it, or use one without a PIN"),
        ("要求 PIN（{state}）", "输入 PIN 解锁，或关闭 PIN"),
    ),
    "sim-puk": (
        ("is locked ({state})", "unlock it in a phone with its PUK"),
        ("已锁定（{state}）", "在手机上用 PUK 解锁"),
    ),
    "registration-home": (("registered, home network", ""), ("已注册，本地网络", "")),
    "registration-roaming": (("registered, roaming", ""), ("已注册，漫游", "")),
    "registration-off": (
        ("the module does not search", "AT+CFUN=1, or reboot the module; check the antenna"),
        ("模组未搜网", "执行 AT+CFUN=1 或重启模组；检查天线"),
    ),
    "registration-searching": (
        ("searching", "check the antenna and wait a minute; check that the SIM is activated"),
        ("正在搜网", "检查天线，等一分钟；确认 SIM 卡已激活"),
    ),
    "registration-denied": (
        (
            "denied by the network",
            "ask the operator: SIM activated, paid, bound to another device?",
        ),
        ("被网络拒绝", "联系运营商：SIM 卡是否激活、欠费或与其他设备绑定（机卡绑定）"),
    ),
    "registration-unknown": (
        ("unknown", "check the antenna, then reboot the module"),
        ("未知", "检查天线，然后重启模组"),
    ),
    "signal-excellent": (
        ("excellent ({what} {dbm} dBm, {operator})", ""),
        ("极好（{what} {dbm} dBm，{operator}）", ""),
    ),
    "signal-good": (
        ("good ({what} {dbm} dBm, {operator})", ""),
        ("良好（{what} {dbm} dBm，{operator}）", ""),
    ),
    "signal-fair": (
        ("fair ({what} {dbm} dBm, {operator})", ""),
        ("一般（{what} {dbm} dBm，{operator}）", ""),
    ),
    "signal-weak": (
        ("weak ({what} {dbm} dBm, {operator})", "move the antenna: handshakes may time out"),
        ("弱（{what} {dbm} dBm，{operator}）", "调整天线位置：TLS 握手可能超时"),
    ),
    "signal-poor": (
        ("very weak ({what} {dbm} dBm, {operator})", "check the antenna's plug and place"),
        ("很弱（{what} {dbm} dBm，{operator}）", "检查天线接头和位置"),
    ),
    "signal-none": (("none", "check the antenna's plug"), ("无信号", "检查天线接头")),
    "apn": (("{apn}", ""), ("{apn}", "")),
    "apn-none": (
        ("none is set", 'set your SIM\'s: "apn" in config.json, or modem.attach(apn=...)'),
        ("未设置", '设置 SIM 卡对应的 APN：config.json 的 "apn"，或 modem.attach(apn=...)'),
    ),
    "address": (("{addresses}", ""), ("{addresses}", "")),
    "address-none": (
        ("none: {text}", "check the APN and the SIM's data plan"),
        ("没有：{text}", "检查 APN 和流量套餐"),
    ),
    "clock": (("{time} UTC", ""), ("{time} UTC", "")),
    "clock-unset": (
        (
            "not set: {text}",
            "TLS refuses while dates count: register first, or allow AT+MNTP (UDP 123)",
        ),
        ("未校时：{text}", "校验证书日期时 TLS 会被拒绝：先注册网络，或放行 AT+MNTP（UDP 123）"),
    ),
    "store": (
        ("all {count} objects of config.json are there", ""),
        ("config.json 的 {count} 个对象都在", ""),
    ),
    "store-alone": (("{names}", ""), ("{names}", "")),
    "store-missing": (
        ("missing: {names}", "start the product (modem.sync), or onemo certs write"),
        ("缺少：{names}", "启动产品程序（modem.sync），或用 onemo certs write 写入"),
    ),
    "store-same": (("module and files agree", ""), ("模组与文件一致", "")),
    "store-differs": (
        ("to be written or removed: {names}", "the next modem.sync does that"),
        ("需写入或删除：{names}", "下一次 modem.sync 会处理"),
    ),
    "files-wrong": (
        ("{text}", "onemo certs lint says more"),
        ("{text}", "用 onemo certs lint 查看详情"),
    ),
    "journal-none": (("no identity was rotated", ""), ("没有轮换记录", "")),
    "journal-proven": (
        ("an identity is proven since {since}", ""),
        ("当前身份自 {since} 起已验证", ""),
    ),
    "journal-under-way": (
        ("a rotation was cut off ({coming})", "the next modem.sync finishes it or takes it back"),
        ("轮换中断（{coming}）", "下一次 modem.sync 会完成或回退"),
    ),
    "dns": (("{host} is {addresses}", ""), ("{host} 为 {addresses}", "")),
    "dns-none": (
        ("{host} is not found", "check its spelling, the data plan, and DNS on this APN"),
        ("找不到 {host}", "检查拼写、流量套餐，以及该 APN 的 DNS"),
    ),
    "dns-refused": (("{said}", "{remedy}"), ("{said}", "{remedy}")),
    "tcp": (("{host}:{port} accepts connections", ""), ("{host}:{port} 可连接", "")),
    "tcp-failed": (("{said}", "{remedy}"), ("{said}", "{remedy}")),
    "tls": (
        ("handshake done in {seconds} s, context {ssl_id}", ""),
        ("握手成功，用时 {seconds} s，上下文 {ssl_id}", ""),
    ),
    "tls-failed": (("{said}", "{remedy}"), ("{said}", "{remedy}")),
    "no-endpoint": (
        ("no endpoint in config.json", ""),
        ("config.json 中没有 endpoint", ""),
    ),
    "not-reached": (("not looked at: {after} is in the way", ""), ("未检查：先解决“{after}”", "")),
    "went-silent": (
        ("no answer any more: {text}", "check supply and wires; " + _POWER_EN),
        ("不再应答：{text}", _POWER_ZH),
    ),
    "unexpected": (
        ("{text}", "run it again; if it stays, report it with a trace"),
        ("{text}", "重试；仍出现则附 trace 反馈"),
    ),
    "over": (
        ("{seconds} s are over", "what is above is what was seen until then"),
        ("已到 {seconds} s", "以上是到此为止的结果"),
    ),
}

# The module's codes in Chinese; English: onemo.error_texts.
CODES_ZH = {
    -1: ("连接失败，未说明原因", "检查地址、端口和信号后重试"),
    1: ("连接失败（NB 模组不说明原因）", "检查地址、端口、信号和证书"),
    3: ("当前不允许此操作", "等几秒后重试"),
    10: ("没有 SIM 卡", "插入 SIM 卡、检查卡座，然后重启模组"),
    11: ("SIM 卡要求 PIN", "用 modem.attach(pin=...) 给出 PIN，或用手机关闭 PIN"),
    12: ("SIM 卡要求 PUK", "在手机上解锁"),
    13: ("SIM 卡故障", "清洁或更换 SIM 卡，然后重启模组"),
    14: ("SIM 卡忙", "等几秒后重试"),
    16: ("PIN 或密码错误", "核对后再试：PIN 连续错三次会锁卡"),
    50: ("参数错误", "对照手册检查参数，并确认该型号支持此命令"),
    550: ("未知 TCP/IP 错误", "关闭连接后重试；仍出现则重启模组"),
    551: ("连接 ID 未使用", "先打开连接"),
    552: ("连接 ID 已占用", "关闭它（AT+MIPCLOSE）或换一个 ID"),
    553: ("未连接", "连接已断：重新打开"),
    554: ("无法创建套接字", "关闭不用的连接，或重启模组"),
    555: ("绑定本地端口失败", "换一个本地端口"),
    556: ("监听失败", "关闭不用的连接"),
    557: ("连接被拒绝", "检查端口、服务器是否运行、防火墙"),
    558: ("连接超时", "检查地址、端口、信号和服务器防火墙后重试"),
    559: ("连接失败", "检查地址、端口和信号后重试"),
    560: ("发送失败", "连接已断：关闭后重新打开"),
    561: ("接收失败", "连接已断：关闭后重新打开"),
    562: ("接受连接失败", "关闭不用的连接"),
    570: ("没有数据连接（PDP 上下文）", "先附着网络；检查信号、APN 和流量套餐"),
    571: ("数据连接被拒绝", "检查 APN 和流量套餐"),
    572: ("数据连接未能断开", "重试，或重启模组"),
    575: ("未设置 APN", "设置 SIM 卡对应的 APN：modem.attach(apn=...)"),
    576: ("本地端口已被占用", "换一个本地端口，或不指定"),
    577: ("没有 IPv4 或 IPv6", "换另一种地址，或换支持双栈的 APN"),
    580: ("域名未找到或地址错误", "检查拼写、信号，以及该 APN 的 DNS"),
    581: ("域名解析忙", "等一秒后重试"),
    582: ("PING 忙", "等正在进行的 PING 结束"),
    750: ("未知 TLS 错误", "重试；仍出现则重启模组并回读 TLS 设置"),
    751: ("TLS 资源不足", "关闭其他 TLS 连接；检查 PSK 或密钥是否存在"),
    752: (
        "服务器证书校验失败",
        "检查模组里的 CA 是否是签发该服务器证书的 CA、证书有效期，以及模组时钟",
    ),
    753: ("TLS 握手超时", "检查信号，加大 negotime_s，确认服务器在该端口提供 TLS"),
    754: (
        "TLS 握手失败",
        "核对服务器支持的版本和加密套件（模组最高 TLS 1.2），以及它是否接受你的证书和私钥",
    ),
    760: ("未知的证书或私钥错误", "重试；仍出现则删除后重新写入"),
    761: ("证书或私钥无效", "用完整且未加密的 PEM 文件重新写入"),
    762: ("没有该证书或私钥", "用 onemo certs ls 核对名称，或先写入"),
    763: ("名称已被占用", "先删除同名对象（certs.remove），或换一个名称"),
    764: ("写入证书或私钥失败", "删除不用的对象后重新写入"),
    765: ("正在写入另一个证书或私钥", "写完或删除那一个，或重启模组"),
    766: ("读取证书或私钥失败", "重新写入；私钥永远不能读出"),
    767: ("删除证书或私钥失败", "关闭使用它的连接后重试"),
    768: ("证书或私钥过大", "最大 8192 字节：减少证书包里的证书"),
    769: (
        "加载证书或私钥失败",
        "内容不能被模组的 TLS 使用：私钥与证书不配对、Ed25519 等；换用 RSA 或 P-256",
    ),
}


def sentences(code: str, facts: Mapping[str, Any], language: str) -> tuple[str, str]:
    """What was found and what to do, in `language`."""
    at = LANGUAGES.index(language)
    facts = dict(facts)
    facts["said"], facts["remedy"] = _explained(facts, language)
    found, remedy = SENTENCES[code][at]
    return found.format_map(facts), remedy.format_map(facts)


def _explained(facts: Mapping[str, Any], language: str) -> tuple[str, str]:
    """A module's code in words, and its remedy; without one the driver's own words."""
    code = facts.get("number")
    if not isinstance(code, int):
        text = str(facts.get("text", ""))
        said, _, remedy = text.rpartition(": ")
        return (said, remedy) if said else (text, "")
    if language == "zh" and code in CODES_ZH:
        said, remedy = CODES_ZH[code]
    else:
        said, remedy = error_texts.describe(code)
    return f"{code}: {said}", remedy
