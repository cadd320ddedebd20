# SPDX-License-Identifier: GPL-2.0-or-later
#
# How host code is compiled. Everything hangs on the interface library
# hvsim_options, not on global flags, so that guest programs are built the same
# in every preset and a run does not depend on how the simulator was built.

option(HVSIM_WERROR "Treat compiler warnings as errors" OFF)
option(HVSIM_SANITIZE "Build with AddressSanitizer and UBSan" OFF)
option(HVSIM_MEMORY "Build with MemorySanitizer (Clang only)" OFF)
option(HVSIM_FUZZ "Build libFuzzer targets (Clang only)" OFF)
option(HVSIM_TIDY "Run clang-tidy on every file, findings are errors" OFF)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# No NDEBUG: our own expectations (CHECK) hold in every build.
set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELEASE "-O2")

add_library(hvsim_options INTERFACE)
target_include_directories(hvsim_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(hvsim_options INTERFACE _GNU_SOURCE)
target_compile_options(hvsim_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wswitch-enum
    -Wstrict-prototypes -Wmissing-prototypes
    $<$<BOOL:${HVSIM_WERROR}>:-Werror>
    # A contracted multiply-add rounds differently; results must not.
    -ffp-contract=off
    # __FILE__ in messages must not depend on where the tree lies.
    "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")

if((HVSIM_FUZZ OR HVSIM_MEMORY) AND NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "HVSIM_FUZZ and HVSIM_MEMORY need Clang: use the "
        "presets \"fuzz\" and \"memory\".")
endif()

if(HVSIM_FUZZ)
    set(sanitizers address,undefined)
    target_compile_options(hvsim_options INTERFACE -fsanitize=fuzzer-no-link)
elseif(HVSIM_SANITIZE)
    set(sanitizers address,undefined)
elseif(HVSIM_MEMORY)
    # An uninitialised byte is a determinism bug before it is anything else.
    # Debian's libraries are not instrumented, so this is for the tests of the
    # label "memory", which use none that hands memory back.
    set(sanitizers memory)
endif()

if(sanitizers)
    target_compile_options(hvsim_options INTERFACE
        -fsanitize=${sanitizers} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    target_link_options(hvsim_options INTERFACE
        -fsanitize=${sanitizers} -fno-sanitize-recover=all)
endif()
