#pragma once

#include <napi.h>

namespace hostbrick {

/**
 * makeDirectory(lane, path, mode), createFile(lane, path, content, mode), renameFile, linkFile(lane, from, to),
 * unlinkFile, removeDirectory(lane, path)
 */
void export_files(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
