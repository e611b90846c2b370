# Language, warnings and sanitizers, once for every target.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
# Assertions stay on in every build.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2")
# Code for any x86-64, in the order and with the string operations that processors of the last ten
# years like: "rep stos", which the default takes for a structure of some hundred bytes, begins
# slowly. Worth a tenth of the cost of a message.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-mtune=skylake-avx512)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(SWARM_WERROR "Treat warnings as errors (on for developers, off for users)" OFF)
set(SWARM_SANITIZE "" CACHE STRING "address (with undefined behaviour), thread, or nothing")
option(SWARM_FUZZ "Build fuzz targets with libFuzzer (needs clang)" OFF)
option(SWARM_COVERAGE "Count the lines that run (needs clang)" OFF)
if((SWARM_FUZZ OR SWARM_COVERAGE) AND NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "SWARM_FUZZ and SWARM_COVERAGE need clang: add -DCMAKE_C_COMPILER=clang-19")
endif()

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wvla -Wformat=2 -Wswitch-enum -Wcast-qual -fstack-protector-strong
  -fno-omit-frame-pointer -fvisibility=hidden)
if(SWARM_WERROR)
  add_compile_options(-Werror)
endif()
# A sanitizer build is told apart in code by SW_SANITIZED: the sandbox widens its filter there by a
# named table, and nothing else may differ.
if(SWARM_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(SW_SANITIZED=1)
elseif(SWARM_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
  add_compile_definitions(SW_SANITIZED=1)
endif()
if(SWARM_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(SWARM_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
find_package(Threads REQUIRED)
link_libraries(Threads::Threads)
