# SPDX-License-Identifier: MIT
#
# One stage of a program's life, for finding the smallest heap in which it is reached.


def main(front, stage, path, digest, size):
    """front: none, plain, published, blocking, aio. stage: import, command, upload; with loaded_
    before it all that an upload needs is imported first. The command comes after the driver's
    start; the upload is 8192 bytes, verified."""
    from scripted import Uart

    uart = Uart(256)
    uart.upload(digest)
    if front == "none":
        return
    if front == "plain":
        import plain

        if stage != "import":
            plain.command(uart, "+CSQ")
        if stage == "upload":
            plain.upload(uart, "ca.pem", path)
    elif front == "published":
        import published

        published.on_a_pc(uart)
        if stage == "import":
            published.imported()
            return
        modem = published.opened()
        published.command(modem)
        if stage == "upload":
            published.upload(modem, "ca.pem", path)
    elif front == "blocking":
        _blocking(uart, stage, path)
    else:
        _asyncio(uart, stage, path)


def _blocking(uart, stage, path):
    from modules import PROVISIONING, front, load

    Modem = front()
    if stage.startswith("loaded"):
        load(PROVISIONING)
    if stage.endswith("import"):
        return
    modem = Modem(uart)
    modem.start()
    modem.command("+CSQ")
    if stage.endswith("upload"):
        modem.certs.write("ca.pem", path)


def _asyncio(uart, stage, path):
    import asyncio

    from modules import EVERYTHING, PROVISIONING, front, load

    Modem = front("onemo.aio")
    if stage.startswith("loaded"):
        load(PROVISIONING)
        load(EVERYTHING)
    if stage.endswith("import"):
        return

    async def main():
        modem = Modem(uart)
        await modem.start()
        await modem.command("+CSQ")
        if stage.endswith("upload"):
            await modem.certs.write("ca.pem", path)

    asyncio.run(main())
