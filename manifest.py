# SPDX-License-Identifier: MIT
#
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
    "_pem_plain.py",
    "_pem_viper.py",
    "_port.py",
    "at_channel.py",
    "at_confirm.py",
    "at_masking.py",
    "at_resync.py",
    "at_retry.py",
    "at_syntax.py",
    "baud.py",
    "blocking.py",
    "cert_digest.py",
    "cert_list.py",
    "cert_pem.py",
    "cert_pem_faults.py",
    "cert_psk.py",
    "cert_removal.py",
    "cert_restore.py",
    "cert_store.py",
    "cert_upload.py",
    "cert_upload_counted.py",
    "cert_upload_faults.py",
    "cert_upload_inline.py",
    "certs.py",
    "clock.py",
    "clock_known.py",
    "error_numbers.py",
    "error_texts.py",
    "errors.py",
    "errors_seldom.py",
    "md5.py",
    "model.py",
    "model_find.py",
    "model_info.py",
    "model_probe.py",
    "models.py",
    "modem.py",
    "network.py",
    "power_sleep.py",
    "reboot.py",
    "recovery.py",
    "refusals.py",
    "schema.py",
    "start.py",
    "tls.py",
    "tls_configure.py",
    "tls_option.py",
    "tls_rows.py",
    "uart.py",
)
SOCKETS = (
    "cert_der.py",
    "info.py",
    "net_flow.py",
    "net_links.py",
    "net_seldom.py",
    "net_socket.py",
    "net_stand_in.py",
    "net_stream.py",
    "net_tls.py",
    "net_udp.py",
    "net_udp_socket.py",
    "power.py",
    "suites.py",
    "suites_listed.py",
    "supervisor.py",
    "trace.py",
)
AIO = (
    "aio.py",
    "aio_socket.py",
    "aio_stream.py",
    "aio_udp.py",
    "aio_udp_socket.py",
)
IDENTITY = (
    "cert_validity.py",
    "profile.py",
    "profile_check.py",
    "provisioning.py",
    "provisioning_entry.py",
    "provisioning_identity.py",
    "provisioning_journal.py",
    "provisioning_objects.py",
    "provisioning_rotate.py",
    "renew.py",
)

for part, files in (
    ("provision", PROVISION),
    ("sockets", SOCKETS),
    ("aio", AIO),
    ("identity", IDENTITY),
):
    if part in options.parts.split():
        package("onemo", files, base_path="lib", opt=3)
