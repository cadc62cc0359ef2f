/* columns.h - which column of an input is which.
 *
 * Columns are found by the names in the header, where case, spaces and underscores do not matter: "Customer ID",
 * "customer_id" and "CustomerID" are one name. Each role has a list of names it goes by, those of both UCI editions
 * among them; columns with other names (invoice, price, country, ...) are passed over. --columns overrides a role. */
#ifndef AKIN_COLUMNS_H
#define AKIN_COLUMNS_H

#include "../shm/fault.h"
#include "../shm/model.h"

enum role { ROLE_CUSTOMER, ROLE_ITEM, ROLE_QUANTITY, ROLE_DATE, ROLE_DESCRIPTION, ROLES };

#define COLUMNS_NONE UINT32_MAX

struct columns {
	uint32_t at[ROLES];		/* column number from 0, or COLUMNS_NONE */
	uint32_t count;			/* of the header */
};

/* Columns named by the user: texts borrowed from the spec, {NULL, 0} where a role was not named. */
struct column_wishes {
	struct text name[ROLES];
};

/* Parse "customer=a,item=b,quantity=c,date=d,description=e", any of them, in any order; a name cannot hold a comma.
 * NULL: no wishes. */
bool columns_wish(struct column_wishes *w, const char *spec, struct fault *why);

/* Find the roles among the n names of a header. Customer and item must be there, no role may fit two columns, and
 * no two roles may be wished onto one column. *why is without a place and shows the names. */
bool columns_find(struct columns *c, const struct text *names, uint32_t n, const struct column_wishes *w,
		  struct fault *why);

#endif
