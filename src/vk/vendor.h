/* Who makes a device: VkPhysicalDeviceProperties::vendorID, by PCI's list of vendors (https://pcisig.com/membership/member-companies). */
#ifndef BR_VK_VENDOR_H
#define BR_VK_VENDOR_H

#define BR_VENDOR_AMD 0x1002u
#define BR_VENDOR_ARM 0x13b5u
#define BR_VENDOR_IMAGINATION 0x1010u
#define BR_VENDOR_NVIDIA 0x10deu

#endif
