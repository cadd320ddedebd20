/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the definition block of a VM has besides (dsdt.asl) if it starts with
 * one processor and may have three, as partitions/firmware_processors.c writes
 * it: devices, and the event that tells of new ones. */
DefinitionBlock ("", "DSDT", 2, "HVSIM ", "HVSIM   ", 0x00000001)
{
    Scope (\_SB)
    {
        OperationRegion (PRCR, SystemIO, 0x0424, 0x10)
        Field (PRCR, ByteAcc, NoLock, WriteAsZeros)
        {
            P000, 1,
            P001, 1,
            P002, 1,
            , 61,
            E000, 1,
            E001, 1,
            E002, 1,
            , 61
        }

        Device (C000)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, Zero)
            Name (_MAT, Buffer (8) {0, 8, 0, 0, 1, 0, 0, 0})
            Method (_STA)
            {
                If (P000) {Return (0x0F)}
                Return (Zero)
            }
        }

        Device (C001)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, One)
            Name (_MAT, Buffer (8) {0, 8, 1, 1, 1, 0, 0, 0})
            Method (_STA)
            {
                If (P001) {Return (0x0F)}
                Return (Zero)
            }
        }

        Device (C002)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 2)
            Name (_MAT, Buffer (8) {0, 8, 2, 2, 1, 0, 0, 0})
            Method (_STA)
            {
                If (P002) {Return (0x0F)}
                Return (Zero)
            }
        }

        Method (PSCN)
        {
            If (E000)
            {
                Store (One, E000)
                Notify (C000, One)
            }
            If (E001)
            {
                Store (One, E001)
                Notify (C001, One)
            }
            If (E002)
            {
                Store (One, E002)
                Notify (C002, One)
            }
        }
    }

    Scope (\_GPE)
    {
        Method (_E02) {\_SB.PSCN ()}
    }
}
