#include "clients/web/page.h"

#include <string.h>

#include "clients/web/routes.h"
#include "shared/base/error.h"

/* Which file a path stands for, and what it is. */
static const struct {
    const char *path, *file, *type;
} pages[] = {{"/", "index.html", "text/html; charset=utf-8"},
             {"/page.css", "page.css", "text/css; charset=utf-8"},
             {"/page.js", "page.js", "text/javascript; charset=utf-8"},
             {"/job.js", "job.js", "text/javascript; charset=utf-8"},
             {"/icon.svg", "icon.svg", "image/svg+xml"}};

void page_get(struct request *request)
{
    size_t i = 0;
    while (strcmp(pages[i].path, request->route->path))
        i++;
    const struct page_file *file = page_files;
    while (file->name && strcmp(file->name, pages[i].file))
        file++;
    if (file->name)
        request_bytes(request, pages[i].type, file->at, file->len);
    else
        request_error(request, MHD_HTTP_NOT_FOUND, "not_found", EXIT_NOT_FOUND,
                      "this program was built without the page");
}
