/* The one place where volk's code is compiled; everybody else sees its declarations only. */
#define VOLK_IMPLEMENTATION
#include <volk.h>
