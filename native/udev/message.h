#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace hostbrick {

/**
 * The properties in a uevent: "KEY=value" texts, each ended by NUL. Nothing when the message is not a uevent.
 * The views point into `message`.
 */

/** From the kernel: "action@devpath" NUL properties (lib/kobject_uevent.c). */
std::optional<std::string_view> kernel_properties(std::span<const std::byte> message);

/** From udevd, after its rules have run: "libudev" NUL, a header, properties (systemd, device-monitor.c). */
std::optional<std::string_view> udev_properties(std::span<const std::byte> message);

}  // namespace hostbrick
