/* The text that AUTOMATIC1111 writes into a PNG's "parameters" chunk and its readers parse (stable-diffusion-webui, create_infotext in modules/processing.py):
 *   prompt
 *   Negative prompt: …
 *   Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: sd15, …, Version: brume …
 * Settings have its names, and what it leaves out at their defaults is left out. What it does not have: "CFG rescale" is SD.Next's word, and "TI" lists the
 * embeddings that the prompts name, without its hashes. */
#ifndef BR_PIPELINE_PARAMETERS_H
#define BR_PIPELINE_PARAMETERS_H

#include "pipeline/request.h"

/* `refiner`: took over at request->denoising_end; NULL: none. `seed`: the picture's. malloc'd; NULL when out of memory. */
char *br_request_parameters(const br_request *request, const br_model *model, const br_model *refiner, int64_t seed);

#endif
