#include <brume/model.h>
#include <stdio.h>

int main(void)
{
    br_model *model;
    br_status status = br_model_open(&(br_model_params){.path = NULL}, &model);
    puts(status ? br_status_message(status) : br_model_path(model));
    int code = br_status_code(status);
    br_status_free(status);
    br_model_close(model);
    return code;
}
