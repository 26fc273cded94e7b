#include "brume/image.h"

#include "base/file.h"
#include "image/grid.h"
#include "image/png.h"

br_status br_image_load(const char *path, br_image *out_image)
{
    return br_png_read(path, out_image);
}

br_status br_image_save(const br_image *image, const char *path, const char *parameters)
{
    const br_png_text text = {.keyword = BR_PNG_PARAMETERS, .text = parameters};
    return br_png_write(path, image, parameters ? &(br_png_texts){.items = &text, .count = 1} : NULL);
}

br_status br_image_check_path(const char *path)
{
    br_file_writer writer;
    BR_TRY(br_file_writer_begin(path, &writer));
    br_file_writer_abort(&writer);
    return NULL;
}

br_status br_image_sheet(const br_image *images, int count, br_image *out_image)
{
    return br_image_grid(&(br_grid_params){.images = images, .count = count}, out_image);
}
