#include <brume/status.h>
#include <brume/version.h>
#include <stdio.h>

int main(void)
{
    printf("brume %s: %s\n", br_version(), br_status_message(NULL));
    return br_status_code(NULL);
}
