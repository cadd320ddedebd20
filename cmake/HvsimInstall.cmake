# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `cmake --install` puts where. The program finds its guest programs by
# the way from one to the other, so the whole may be moved.

include(GNUInstallDirs)
set(HVSIM_INSTALL_WORKLOADS "${CMAKE_INSTALL_LIBEXECDIR}/hvsim/workloads")
set(HVSIM_INSTALL_SCENARIOS "${CMAKE_INSTALL_DATADIR}/hvsim/scenarios")

install(DIRECTORY scenarios/
    DESTINATION "${HVSIM_INSTALL_SCENARIOS}"
    FILES_MATCHING PATTERN "*.yaml")
install(FILES README.md ARCHITECTURE.md LICENSE
    DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES workloads/README.md
    DESTINATION "${CMAKE_INSTALL_DOCDIR}/workloads")
