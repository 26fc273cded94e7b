# Writes OUT, the C array of the file IN, which is called br_prof_page and ends with a zero.
file(READ ${IN} HEX HEX)
string(REGEX REPLACE "(..)" "0x\\1," BYTES "${HEX}")
file(WRITE ${OUT} "#include \"prof/page.h\"\n\nconst char br_prof_page[] = {${BYTES}0};\n")
