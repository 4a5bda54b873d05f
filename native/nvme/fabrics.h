#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hostbrick {

/** A controller that a write to /dev/nvme-fabrics has brought about. */
struct FabricsController {
  std::uint32_t instance;       ///< the N of /dev/nvmeN
  std::uint32_t controller_id;  ///< what the subsystem calls it: CNTLID; `unconnected` until it does
  std::string reason;           ///< of an unconnected one, what the kernel's log says
};

/** A CNTLID that no controller has. */
constexpr std::uint32_t unconnected = 0xffff;

/**
 * The options that this kernel takes, as it lists them: 'instance=-1,cntlid=-1,transport=%s,traddr=%s,...,nqn=%s'
 * (__nvmf_concat_opt_tokens in drivers/nvme/host/fabrics.c). Waits for a connect that is under way.
 * Throws SystemError: EINVAL where the kernel does not say (before 5.17), ENOENT where it has no NVMe over Fabrics
 * loaded.
 */
std::string fabrics_options();

/**
 * Connects to a controller and returns when it is live; its namespaces come later. Over Fibre Channel it also returns
 * when the first try has failed: then the kernel goes on trying, or the controller is about to go. The kernel does one
 * connect at a time, and takes minutes for one that does not answer. `options` may hold secrets and is shown to nobody.
 * Throws SystemError: EALREADY when there is such a controller, EIO for whatever the controller itself refuses, with
 * what the kernel's log says of the reason in `detail`, if it may be read.
 */
FabricsController connect_fabrics(std::string_view options);

/**
 * What these texts of the kernel's log say of a connect with these options: the drivers' own lines, 'nvme nvme0: ...'
 * and 'nvme_fabrics: ...', without those of the `others`, such as 'nvme1', which may be in trouble of their own. What
 * the kernel does not understand it quotes, and that may be a secret: such a line is left out, too.
 */
std::string reason_in(const std::vector<std::string>& texts, std::string_view options,
                      const std::vector<std::string>& others);

/** Reads 'instance=0,cntlid=1\n', the kernel's answer to a connect. EBADMSG for anything else. */
FabricsController parse_fabrics_reply(std::string_view reply);

}  // namespace hostbrick
