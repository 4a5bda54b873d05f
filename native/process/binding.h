#pragma once

#include <napi.h>

namespace hostbrick {

/** runProgram({ arguments, environment, input }), lockByte(lane, path, offset), tryLockByte(path, offset) */
void export_process(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
