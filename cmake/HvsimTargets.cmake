# SPDX-License-Identifier: GPL-2.0-or-later
#
# The few shapes of target in this tree:
#   hvsim_layer(cpu SOURCES … KNOWS core … LIBS PkgConfig::UNICORN …)
#   hvsim_test(test_clock SOURCES … LINKS core … LABELS … TIMEOUT …)
#   hvsim_fuzz(fuzz_scenario SOURCES … LINKS machine CORPUS corpus/scenario)

# Adds a folder if it has something to build yet.
function(hvsim_add_folder folder)
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt")
        add_subdirectory(${folder})
    endif()
endfunction()

# hvsim_layer(<name> [SOURCES …] [KNOWS <layer> …] [LIBS <library> …])
#
# One folder of the layer diagram as the static library hvsim_<name>. KNOWS
# names layers below it; LIBS are outside libraries, invisible to the layers
# above. A layer of headers alone has no SOURCES.
function(hvsim_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;KNOWS;LIBS")
    hvsim_refuse_unparsed(hvsim_layer ${name} ${arg_UNPARSED_ARGUMENTS})
    set(known hvsim_options)
    foreach(layer IN LISTS arg_KNOWS)
        if(NOT TARGET hvsim_${layer})
            message(FATAL_ERROR
                "Layer \"${name}\" may not know \"${layer}\": there is no "
                "such layer below it (see the root CMakeLists.txt).")
        endif()
        list(APPEND known hvsim_${layer})
    endforeach()

    set(target hvsim_${name})
    if(arg_SOURCES)
        add_library(${target} STATIC ${arg_SOURCES})
        target_link_libraries(${target}
            PUBLIC ${known} PRIVATE ${arg_LIBS})
        hvsim_tidy(${target})
        set_property(GLOBAL APPEND PROPERTY HVSIM_ARCHIVES ${target})
    else()
        add_library(${target} INTERFACE)
        target_link_libraries(${target} INTERFACE ${known})
    endif()
endfunction()

# hvsim_test(<name> [SOURCES …] [LINKS <layer or library> …]
#            [LABELS …] [TIMEOUT <seconds>])
#
# A cmocka program and the ctest of the same name. SOURCES defaults to
# <name>.c, TIMEOUT to 120 s. The label "memory" is for tests that also run
# under MemorySanitizer (the preset of that name). Tests know where the tree and
# the build lie as the string literals HVSIM_SOURCE_DIR and HVSIM_BUILD_DIR, and
# may write into their working directory, which is theirs alone.
function(hvsim_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LINKS;LABELS")
    hvsim_refuse_unparsed(hvsim_test ${name} ${arg_UNPARSED_ARGUMENTS})
    if(NOT arg_SOURCES)
        set(arg_SOURCES ${name}.c)
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    # A sanitizer makes a program several times slower.
    if(sanitizers)
        math(EXPR arg_TIMEOUT "5 * ${arg_TIMEOUT}")
    endif()
    hvsim_resolve_links(links ${arg_LINKS})

    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE
        hvsim_options ${links} PkgConfig::CMOCKA)
    target_compile_definitions(${name} PRIVATE
        HVSIM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        HVSIM_BUILD_DIR="${PROJECT_BINARY_DIR}")
    set(workdir "${CMAKE_CURRENT_BINARY_DIR}/${name}.work")
    file(MAKE_DIRECTORY "${workdir}")
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${workdir}")
    set_tests_properties(${name} PROPERTIES
        TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()

# hvsim_fuzz(<name> [SOURCES …] [LINKS …] CORPUS <folder>)
#
# A libFuzzer harness (LLVMFuzzerTestOneInput). Every build links it with a
# small main as <name>_replay, and the ctest <name>_corpus replays each file of
# CORPUS, and fails if there is none. The preset "fuzz" also builds the fuzzer
# <name>; run it as `<name> CORPUS`. SOURCES defaults to <name>.c.
function(hvsim_fuzz name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS" "SOURCES;LINKS")
    hvsim_refuse_unparsed(hvsim_fuzz ${name} ${arg_UNPARSED_ARGUMENTS})
    if(NOT arg_SOURCES)
        set(arg_SOURCES ${name}.c)
    endif()
    cmake_path(ABSOLUTE_PATH arg_CORPUS
        BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
    hvsim_resolve_links(links ${arg_LINKS})

    add_executable(${name}_replay
        ${arg_SOURCES} "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.c")
    target_link_libraries(${name}_replay PRIVATE hvsim_options ${links})
    add_test(NAME ${name}_corpus COMMAND ${name}_replay "${arg_CORPUS}")
    set_tests_properties(${name}_corpus PROPERTIES TIMEOUT 120 LABELS fuzz)

    if(HVSIM_FUZZ)
        add_executable(${name} ${arg_SOURCES})
        target_link_libraries(${name} PRIVATE hvsim_options ${links})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    endif()
endfunction()

# Layer names become their targets; anything else is linked as it stands.
function(hvsim_resolve_links out)
    set(links)
    foreach(link IN LISTS ARGN)
        if(TARGET hvsim_${link})
            list(APPEND links hvsim_${link})
        else()
            list(APPEND links ${link})
        endif()
    endforeach()
    set(${out} ${links} PARENT_SCOPE)
endfunction()

function(hvsim_refuse_unparsed function name)
    if(ARGN)
        message(FATAL_ERROR "${function}(${name}): what is \"${ARGN}\"?")
    endif()
endfunction()

function(hvsim_tidy target)
    if(HVSIM_TIDY)
        find_program(HVSIM_CLANG_TIDY clang-tidy REQUIRED)
        set_target_properties(${target} PROPERTIES
            C_CLANG_TIDY "${HVSIM_CLANG_TIDY};--quiet")
    endif()
endfunction()
