/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The definition block of a VM whose memory ends at 5.5 GiB, as
 * partitions/firmware_dsdt.c writes it. */
DefinitionBlock ("", "DSDT", 2, "HVSIM ", "HVSIM   ", 0x00000001)
{
    Name (_S5, Package () {5, Zero, Zero, Zero})

    Scope (\_SB)
    {
        Device (VMOD)
        {
            Name (_HID, "ACPI0004")
            Name (_UID, Zero)
            Name (_CRS, ResourceTemplate ()
            {
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    Cacheable, ReadWrite,
                    0x0000000000000000,
                    0x00000000F8000000,
                    0x00000000FEBFFFFF,
                    0x0000000000000000,
                    0x0000000006C00000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    Cacheable, ReadWrite,
                    0x0000000000000000,
                    0x0000000180000000,
                    0x00000001BFFFFFFF,
                    0x0000000000000000,
                    0x0000000040000000)
            })

            Device (VMBS)
            {
                Name (_HID, "VMBus")
                Name (_UID, Zero)
                Name (_STA, 0x0F)
                Name (_CRS, ResourceTemplate () {})
            }
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, One)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
                IRQNoFlags () {4}
            })
        }

        Device (RTC0)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_UID, One)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
                IRQNoFlags () {8}
            })
        }
    }
}
