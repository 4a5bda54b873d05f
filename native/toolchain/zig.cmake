# Compiles with zig for another platform: ZIG is the program, ZIG_TARGET such as aarch64-linux-musl, both in the environment.
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "$ENV{ZIG_TARGET}")
# zig adds debugging information unless told otherwise, which the link would throw away (-s).
set(CMAKE_CXX_COMPILER "$ENV{ZIG}" c++ -g0)
# CMake, once told the target, learns by compiling what this is. Else it links a program, and with it another libc++.
set(CMAKE_CXX_COMPILER_TARGET $ENV{ZIG_TARGET})
# CMake's checks are not to link: zig refuses what CMake compiles a program with (-fPIE).
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_MODULE_LINKER_FLAGS_INIT -s)
