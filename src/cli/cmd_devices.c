#include <stdlib.h>

#include "cli/format.h"
#include "cli/session.h"

static json_t *device_json(const br_device_info *info)
{
    char version[BR_FORMAT_SIZE];
    /* VK_API_VERSION_*: 7 bits major above 10 bits minor above 12 bits patch. */
    snprintf(version, sizeof version, "%u.%u.%u", info->api_version >> 22 & 0x7f, info->api_version >> 12 & 0x3ff,
             info->api_version & 0xfff);
    return json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:s?, s:I, s:b, s:s?, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:i, s:i, s:I}",
        "index", info->index, "name", info->name, "driver", info->driver, "driver_info", info->driver_info, "kind", info->kind,
        "vulkan", version, "usable", !info->problem, "problem", info->problem, "device_local_bytes",
        (json_int_t)info->device_local_bytes, "unified_memory", info->unified_memory, "dtype", info->problem ? NULL : info->dtype,
        "f16_storage", info->f16_storage, "f16_arithmetic", info->f16_arithmetic, "integer_dot", info->integer_dot,
        "integer_dot_fast", info->integer_dot_fast, "second_queue", info->second_queue, "cooperative_matrix",
        info->cooperative_matrix, "timestamps", info->timestamps, "subgroup_min", (int)info->subgroup_min, "subgroup_max",
        (int)info->subgroup_max, "max_invocations", (int)info->max_invocations, "max_shared_bytes", (int)info->max_shared_bytes,
        "max_binding_bytes", (json_int_t)info->max_binding_bytes);
}

static br_status print_json(const br_context *context)
{
    json_t *devices = json_array();
    for (int i = 0; i < br_context_device_count(context); i++) {
        br_device_info info;
        br_status status = br_context_device_info(context, i, &info);
        if (status) {
            json_decref(devices);
            return status;
        }
        json_array_append_new(devices, device_json(&info));
    }
    return br_print_json(json_pack("{s:o}", "devices", devices));
}

static void print_device(const br_device_info *info)
{
    char memory[BR_FORMAT_SIZE], shared[BR_FORMAT_SIZE], binding[BR_FORMAT_SIZE];
    printf("%d  %s\n", info->index, info->name);
    printf("   kind      %s, %s%s\n", info->kind, br_format_bytes((double)info->device_local_bytes, memory),
           info->unified_memory ? " shared with the host" : "");
    printf("   driver    %s%s%s, Vulkan %u.%u\n", info->driver, *info->driver_info ? ", " : "", info->driver_info,
           info->api_version >> 22 & 0x7f, info->api_version >> 12 & 0x3ff);
    if (info->problem) {
        printf("   unusable  %s\n", info->problem);
        return;
    }
    printf("   dtype     %s%s%s%s%s\n", info->dtype, info->f16_storage ? ", f16 storage" : "",
           info->f16_arithmetic ? ", f16 arithmetic" : "",
           info->integer_dot_fast ? ", fast integer dot product"
           : info->integer_dot    ? ", integer dot product"
                                  : "",
           info->cooperative_matrix ? ", cooperative matrices" : "");
    printf("   limits    subgroups of %u", info->subgroup_min);
    if (info->subgroup_max != info->subgroup_min)
        printf(" to %u", info->subgroup_max);
    printf(", workgroups of %u, %s shared, bindings of %s%s\n", info->max_invocations,
           br_format_bytes(info->max_shared_bytes, shared), br_format_bytes((double)info->max_binding_bytes, binding),
           info->timestamps ? "" : ", no timestamps");
}

static br_status run(br_call *call)
{
    br_session_options session_options = {.dtype = "auto"};
    const br_option rows[] = {BR_ROW_JSON(session_options), BR_ROW_VERBOSE(session_options)};
    const br_options options = {rows, sizeof rows / sizeof rows[0], NULL, 0, NULL};
    bool help;
    br_status status = br_options_parse(call, &options, &help);
    if (status || help)
        return status;
    br_session session;
    br_session_init(&session, &session_options);
    BR_TRY_GOTO(br_session_open_context(&session));
    if (session_options.json) {
        BR_TRY_GOTO(print_json(session.context));
    } else {
        for (int i = 0; i < br_context_device_count(session.context); i++) {
            br_device_info info;
            BR_TRY_GOTO(br_context_device_info(session.context, i, &info));
            print_device(&info);
        }
    }
fail:
    br_session_finish(&session);
    return status;
}

const br_command br_cmd_devices = {
    .name = "devices",
    .summary = "list the Vulkan devices, and what Brume would use of each",
    .synopsis = "[--json]",
    .details = "The number or a part of the name is what -d takes. Number 0 is used unless -d says otherwise.\n",
    .examples = "brume devices\n"
                "brume txt2img -d 1 \"a red apple\"\n"
                "brume txt2img -d llvmpipe \"a red apple\"\n",
    .run = run,
};
