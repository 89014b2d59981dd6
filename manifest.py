# For freezing the library into a firmware. Made by `make packages`.
#
#     include("$(ONEMO_DIR)/manifest.py")                          everything
#     include("$(ONEMO_DIR)/manifest.py", parts="provision")       certificates and keys only

metadata(
    description="TLS with OneMO cellular modules: certificates in, verified connections out",
    version="0.1.0",
    license="MIT",
)
options.defaults(parts="provision sockets aio identity")

PROVISION = (
    "__init__.py",
    "_md5_viper.py",
    "_pem_faults.py",
    "_port.py",
    "baud.py",
    "blocking.py",
    "certs.py",
    "channel.py",
    "codes.py",
    "counted.py",
    "digest.py",
    "errors.py",
    "inline.py",
    "inventory.py",
    "models.py",
    "modem.py",
    "pem.py",
    "psk.py",
    "reboot.py",
    "receiver.py",
    "recovery.py",
    "restore.py",
    "syntax.py",
    "tls.py",
    "tracing.py",
    "uart.py",
    "upload.py",
)
SOCKETS = (
    "ciphers.py",
    "clock.py",
    "flow.py",
    "network.py",
    "socket_module.py",
    "sockets.py",
    "stream.py",
    "suites.py",
    "trace.py",
)
AIO = (
    "aio.py",
)
IDENTITY = (
    "identity.py",
    "journal.py",
    "profile.py",
)

for part, files in (
    ("provision", PROVISION),
    ("sockets", SOCKETS),
    ("aio", AIO),
    ("identity", IDENTITY),
):
    if part in options.parts.split():
        package("onemo", files, base_path="lib", opt=3)
