# SPDX-License-Identifier: GPL-2.0-or-later
#
# Read by ctest itself, before the tests: what they find in their environment,
# unless it has such options already.
if(NOT DEFINED ENV{LSAN_OPTIONS})
    set(ENV{LSAN_OPTIONS}
        "print_suppressions=0:suppressions=${CMAKE_CURRENT_LIST_DIR}/lsan.supp")
endif()
