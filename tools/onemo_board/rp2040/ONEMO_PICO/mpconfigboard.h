// SPDX-License-Identifier: MIT
#define MICROPY_HW_BOARD_NAME "Raspberry Pi Pico"
// Room for the firmware with ssl, too: one flash image fits both builds.
#define MICROPY_HW_FLASH_STORAGE_BYTES (1024 * 1024)
#define MICROPY_HW_ROMFS_BYTES (256 * 1024)
