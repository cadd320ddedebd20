# SPDX-License-Identifier: GPL-2.0-or-later
#
# The libraries we stand on, as imported targets PkgConfig::<NAME>. Which layer
# may use which is said by the LIBS of each hvsim_layer().

find_package(PkgConfig REQUIRED)

# hvsim_require(<NAME> <pkg-config name> <least version> <Debian package>)
function(hvsim_require name module version package)
    pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL
        "${module}>=${version}")
    if(${name}_FOUND)
        return()
    endif()
    pkg_check_modules(${name}_ANY QUIET "${module}")
    if(${name}_ANY_FOUND)
        set(found "version ${${name}_ANY_VERSION} is installed")
    else()
        set(found "it is not installed")
    endif()
    message(FATAL_ERROR
        "hvsim needs ${module} >= ${version} (package ${package}), but "
        "${found}. \"./setup.sh deps\" installs all that is needed on "
        "Debian 12 and 13.")
endfunction()

hvsim_require(UNICORN unicorn 2.1.1 libunicorn-dev)
hvsim_require(CAPSTONE capstone 5.0 libcapstone-dev)
hvsim_require(SQLITE sqlite3 3.40 libsqlite3-dev)
hvsim_require(YAML yaml-0.1 0.2.5 libyaml-dev)
hvsim_require(XXHASH libxxhash 0.8 libxxhash-dev)
hvsim_require(JEMALLOC jemalloc 5.2 libjemalloc-dev)
hvsim_require(CMOCKA cmocka 1.1.5 libcmocka-dev)

# hvsim_require_header(<NAME> <header> <Debian package>): a library of headers
# alone, as the target <NAME>.
function(hvsim_require_header name header package)
    find_path(${name}_INCLUDE_DIR ${header})
    if(NOT ${name}_INCLUDE_DIR)
        message(FATAL_ERROR
            "hvsim needs ${header} (package ${package}), but it is not "
            "installed. \"./setup.sh deps\" installs all that is needed on "
            "Debian 12 and 13.")
    endif()
    add_library(${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${name} INTERFACE "${${name}_INCLUDE_DIR}")
endfunction()

hvsim_require_header(RANDOM123 Random123/philox.h librandom123-dev)

find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
