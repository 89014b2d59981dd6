# SPDX-License-Identifier: MIT
"""What test_libraries.py runs on a board, a script a library; each prints "ok" last.

In each: `modem` (of the cell's front), MODE ("plain", "module", "board": who does TLS), NAME and
PORT of the server, CA (DER). `socket` and its kin are in place already. Libraries that no package
index has are not here; a client makes their calls, one by one, as their source has them.
"""

START = """
import sys
sys.path.insert(0, LIBRARIES)
import asyncio, errno, json, time
{glue}

def blocking():
    from onemo import Modem
    modem = Modem(uart)
    modem.start()
    tls = None
    if MODE == "module":
        tls = modem.tls(1)
        tls.configure(1, ca="ca.pem")
    with modem.use_as_socket(tls):
        job(modem)

async def waiting():
    from onemo.aio import Modem
    modem = Modem(uart)
    await modem.start()
    tls = None
    if MODE == "module":
        tls = modem.tls(1)
        await tls.configure(1, ca="ca.pem")
    with modem.use_as_socket(tls):
        await job(modem)
        await asyncio.sleep_ms(400)
"""

RUN = {
    ("blocking", False): "\nblocking()\n",
    ("asyncio", True): "\nasyncio.run(waiting())\n",
    # The library is for the other front.
    ("blocking", True): """
sync = job
def job(modem):
    asyncio.run(sync(modem))
blocking()
""",
    ("asyncio", False): """
sync = job
async def job(modem):
    try:
        sync(modem)
    except Exception as error:
        print(type(error).__name__, error)
asyncio.run(waiting())
""",
}

_UMQTT = """
def client(name):
    ssl = MODE != "plain"
    params = {}
    if MODE == "board":
        params = {"cert_reqs": 2, "cadata": CA, "server_hostname": NAME}
    more = {"socket_timeout": LIMIT} if "2" in MQTTClient.__module__ else {}
    return MQTTClient(name, NAME, PORT, keepalive=30, ssl=ssl, ssl_params=params, **more)

"""

UMQTT_SIMPLE = """
def job(modem):
    from umqtt.%s import MQTTClient
    globals()["MQTTClient"] = MQTTClient
    got = []
    c = client(ID)
    c.set_callback(lambda topic, message: got.append((topic, message)))
    c.set_last_will(ID + b"/will", b"gone", qos=1)
    c.connect()
    c.publish(ID + b"/kept", b"retained", True)
    c.subscribe(ID + b"/#")
    for number in range(5):
        c.publish(ID + b"/up", b"%%d" %% number, qos=number %% 2)
    c.publish(ID + b"/big", BIG, qos=1)
    end = time.time() + 6 * LIMIT
    while len(got) < 7 and time.time() < end:
        c.check_msg()
    assert len(got) == 7, got
    print(sorted([(t, len(m)) for t, m in got]))
    c.ping()
    c.check_msg()
    c.sock.close()  # without a good-bye: the will is due
    c = client(ID)
    c.set_callback(lambda topic, message: None)
    c.connect()
    c.publish(ID + b"/up", b"again", qos=1)
    c.disconnect()
    print("ok")
"""

UMQTT_2 = """
def job(modem):
    from umqtt.%s import MQTTClient
    globals()["MQTTClient"] = MQTTClient
    got = []
    c = client(ID)
    c.set_callback(lambda topic, message, retained, dup: got.append((topic, message)))
    c.set_last_will(ID + b"/will", b"gone", qos=1)
    c.connect()
    c.publish(ID + b"/kept", b"retained", True)
    c.subscribe(ID + b"/#")
    for number in range(5):
        c.publish(ID + b"/up", b"%%d" %% number, qos=number %% 2)
    c.publish(ID + b"/big", BIG, qos=1)
    end = time.time() + 6 * LIMIT
    while len(got) < 7 and time.time() < end:
        c.check_msg()
    assert len(got) == 7, got
    print(sorted([(t, len(m)) for t, m in got]))
    c.ping()
    c.check_msg()
    c.sock.close()  # without a good-bye: the will is due
    c = client(ID)
    c.set_callback(lambda topic, message, retained, dup: None)
    c.connect()
    c.publish(ID + b"/up", b"again", qos=1)
    while c.rcv_pids:
        c.check_msg()
    c.disconnect()
    print("ok")
"""

HTTP = """
def job(modem):
    import %s as requests
    base = ("http" if MODE == "plain" else "https") + "://%%s:%%d" %% (NAME, PORT)
    said = requests.get(base + "/hello")
    print(said.status_code, said.reason, said.json()["path"])
    said = requests.post(base + "/post", json={"a": [1, 2]}, headers={"X-Own": "mine"}).json()
    print(said["method"], json.loads(said["body"]) == {"a": [1, 2]}, said["headers"]["X-Own"])
    print(requests.put(base + "/put", data="d" * 3000).json()["body"] == "d" * 3000)
    print(requests.get(base + "/redirect").json()["path"])
    print(requests.get(base + "/200000").content == pattern(0, 200000))
    try:
        requests.get(base + "/chunked")
    except (TypeError, ValueError):  # these ask for HTTP/1.0, and urequests words it badly
        print("chunked refused")
    try:
        requests.get(base + "/cut").content
        print("cut")
    except OSError as error:
        print("cut")
    print("ok")
"""

MIP = """
def job(modem):
    import mip, os
    base = ("http" if MODE == "plain" else "https") + "://%s:%d" % (NAME, PORT)
    mip.install(base + "/package.json", target=FOLDER + "/lib", mpy=False)
    with open(FOLDER + "/lib/thing.py", "rb") as file:
        print(file.read() == pattern(0, 5000))
    print("ok")
"""

NTPTIME = """
def job(modem):
    import socket
    query = bytearray(48)
    query[0] = 0x23
    address = socket.getaddrinfo(NAME, PORT)[0][-1]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.settimeout(1)
        s.sendto(query, address)
        message = s.recv(48)
    finally:
        s.close()
    print(len(message))
    print("ok")
"""

AIOHTTP = """
async def request(method, path, body=b"", headers=()):
    # As ClientSession._request and request_raw do it.
    import asyncio
    ssl = None if MODE == "plain" else True
    reader, writer = await asyncio.open_connection(NAME, PORT, ssl=ssl)
    head = "".join(["%s: %s\\r\\n" % pair for pair in headers])
    query = b"%s /%s HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n%s\\r\\n%s" % (
        method, path, NAME, head, body)
    await writer.awrite(query)
    status = int((await reader.readline()).split(None, 2)[1])
    headers = {}
    while True:
        line = await reader.readline()
        if not line or line == b"\\r\\n":
            break
        key, value = line.decode().split(":", 1)
        headers[key.lower()] = value.strip()
    return reader, status, headers

async def content(reader, headers):
    if headers.get("transfer-encoding") == "chunked":
        whole = b""
        while True:
            size = int((await reader.readline()).split(b";", 1)[0], 16)
            if size == 0:
                assert await reader.readexactly(2) == b"\\r\\n"
                break
            whole += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\\r\\n"
    elif "content-length" in headers:
        whole = await reader.readexactly(int(headers["content-length"]))
    else:
        whole = await reader.read(-1)
    await reader.aclose()
    return whole

async def job(modem):
    for path in ("hello", "chunked", "endless"):
        reader, status, headers = await request("GET", path)
        print(status, json.loads(await content(reader, headers))["path"])
    reader, status, headers = await request("GET", "redirect")
    await reader.aclose()
    reader, status, headers = await request("GET", headers["location"].lstrip("/"))
    print(status, json.loads(await content(reader, headers))["path"])
    reader, status, headers = await request(
        "POST", "post", b"d" * 3000, [("Content-Length", 3000)])
    print(len(json.loads(await content(reader, headers))["body"]))
    reader, status, headers = await request("GET", "200000")
    print(await content(reader, headers) == pattern(0, 200000))
    reader, status, headers = await request("GET", "cut")
    try:
        await content(reader, headers)
    except (EOFError, OSError) as error:
        print("cut")
        await reader.aclose()
    print("ok")
"""

MQTT_ASYNC = """
class machine:  # as boards have it
    unique_id = lambda: b"\\x24\\x6f\\x28\\1\\2\\3"

sys.modules["machine"] = machine

async def job(modem):
    import mqtt_async
    from mqtt_async import MQTTClient, config
    config.server = NAME
    config.port = PORT
    config.client_id = ID
    config.ssl_params = {} if MODE == "board" else None
    config.response_time = 20
    config.keepalive = 60
    config.set_last_will(ID + b"/will", b"gone")
    got = []
    config.subs_cb = lambda topic, message, retained, qos: got.append((topic, message))
    c = MQTTClient(config)
    await c.connect()
    await c.publish(ID + b"/kept", b"retained", True)
    await c.subscribe(ID + b"/#", 1)
    for number in range(5):
        await c.publish(ID + b"/up", b"%d" % number, qos=number % 2)
    await c.publish(ID + b"/big", BIG, qos=1)
    end = time.time() + 6 * LIMIT
    while len(got) < 7 and time.time() < end:
        await asyncio.sleep_ms(50)
    print(sorted([(t, len(m)) for t, m in got]))
    await c.publish(ID + b"/up", b"again", qos=1)
    await c.disconnect()
    print("ok")
"""

MQTT_AS = """
async def job(modem):
    # As MQTT_base._connect, _as_write, _as_read and wait_msg do it.
    import network, socket
    link = network.WLAN(network.STA_IF)
    link.active(True)
    assert link.isconnected()
    BUSY = [errno.EINPROGRESS, errno.ETIMEDOUT]
    address = socket.getaddrinfo(NAME, PORT)[0][-1]
    sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.connect(address)
    except OSError as error:
        if error.args[0] not in BUSY:
            raise
    await asyncio.sleep_ms(0)
    if MODE != "plain":
        import ssl
        params = {}
        if MODE == "board":
            params = {"cert_reqs": 2, "cadata": CA, "server_hostname": NAME, "do_handshake": False}
        sock = ssl.wrap_socket(sock, **params)

    async def write(data):
        data = memoryview(data)
        while data:
            try:
                n = sock.write(data)
            except OSError as error:
                n = 0
                if error.args[0] not in BUSY:
                    raise
            if n:
                data = data[n:]
            await asyncio.sleep_ms(0)

    async def read(n):
        buffer = memoryview(bytearray(n))
        size = 0
        end = time.time() + 20
        while size < n:
            assert time.time() < end
            got = sock.readinto(buffer[size:], n - size)
            assert got != 0
            if got:
                size += got
            await asyncio.sleep_ms(0)
        return bytes(buffer)

    def text(data):
        return len(data).to_bytes(2, "big") + data

    def packet(first, body):
        size = b""
        n = len(body)
        while n > 127:
            size += bytes([n & 127 | 128])
            n >>= 7
        return bytes([first]) + size + bytes([n]) + body

    await write(packet(0x10, text(b"MQTT") + b"\\4\\2\\0\\x3c" + text(ID)))
    assert await read(4) == b"\\x20\\2\\0\\0"
    await write(packet(0x82, b"\\0\\1" + text(ID + b"/#") + b"\\0"))
    assert await read(5) == b"\\x90\\3\\0\\1\\0"
    await write(packet(0x32, text(ID + b"/up") + b"\\0\\2" + b"again"))
    await write(packet(0x30, text(ID + b"/big") + BIG))
    got = 0
    while got < 3:
        first = sock.read(1)
        if first is None:
            await asyncio.sleep_ms(5)
            continue
        size = shift = 0
        while True:
            byte = (await read(1))[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        await read(size)
        got += 1
    sock.write(packet(0xC0, b""))
    assert await read(2) == b"\\xd0\\0"
    sock.close()
    print("ok")
"""

SCRIPTS = {  # name -> (script, whether it is for asyncio)
    "umqtt.simple": (_UMQTT + UMQTT_SIMPLE % "simple", False),
    "umqtt.robust": (_UMQTT + UMQTT_SIMPLE % "robust", False),
    "umqtt.simple2": (_UMQTT + UMQTT_2 % "simple2", False),
    "umqtt.robust2": (_UMQTT + UMQTT_2 % "robust2", False),
    "urequests": (HTTP % "urequests", False),
    "requests": (HTTP % "requests", False),
    "mip": (MIP, False),
    "ntptime": (NTPTIME, False),
    "aiohttp": (AIOHTTP, True),
    "mqtt_async": (MQTT_ASYNC, True),
    "mqtt_as": (MQTT_AS, True),
}
