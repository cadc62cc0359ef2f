/* dates.c - date texts to seconds since 1970. Called for every kept row, mostly with the text of the row before. A
 * text that is no date is an answer; only contradicting proofs and an unknown format name are failures. */
#include "dates.h"

#include <stdio.h>
#include <string.h>

#define DAY 86400

/* A packed date: bit 62, and below it year, the two numbers, second of the day. It is above every time, as times end
 * with the year 9999 or with 13 digits, and TRANSACTIONS_NO_TIME is negative. */
#define PACKED	       (INT64_C(1) << 62)
#define IS_PACKED(v)   ((v) >= PACKED)
#define PACK(y, a, b, s) (PACKED | (int64_t)(y) << 32 | (int64_t)(a) << 26 | (int64_t)(b) << 20 | (s))

struct cursor {
	const char *at, *end;
};

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static bool is_date(unsigned year, unsigned month, unsigned day)
{
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_of_month(year, month);
}

/* Seconds from 1970 to the start of a day of the Gregorian calendar. */
static int64_t seconds_of(unsigned year, unsigned month, unsigned day)
{
	static const uint16_t before_month[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t y = (int64_t)year - 1;	/* years that are over */
	int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + before_month[month - 1];

	days += month > 2 && is_leap(year);
	return (days + day - 1 - 719162) * DAY;		/* 719162 days from 1 January of the year 1 to 1970 */
}

static bool take(struct cursor *c, char want)
{
	if (c->at == c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

/* 1 to most digits. How many, 0: none. A further digit is left for the caller to stumble over. */
static unsigned take_number(struct cursor *c, unsigned most, unsigned *number)
{
	unsigned digits = 0;

	for (*number = 0; digits < most && c->at < c->end && *c->at >= '0' && *c->at <= '9'; digits++)
		*number = *number * 10 + (unsigned)(*c->at++ - '0');
	return digits;
}

static bool take_word(struct cursor *c, const char *upper)
{
	size_t n = strlen(upper);

	if ((size_t)(c->end - c->at) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((c->at[i] & ~0x20) != upper[i])
			return false;
	c->at += n;
	return true;
}

/* AM or PM behind the time. */
static bool take_half(struct cursor *c, unsigned *hour)
{
	bool am = take_word(c, "AM"), pm = !am && take_word(c, "PM");

	if (!am && !pm)
		return true;
	if (*hour < 1 || *hour > 12)
		return false;
	*hour = *hour % 12 + (pm ? 12 : 0);
	return true;
}

static bool take_zone(struct cursor *c)
{
	unsigned number;

	if (take_word(c, "Z") || take_word(c, "UTC") || take_word(c, "GMT"))
		return true;
	if (!take(c, '+') && !take(c, '-'))
		return true;
	if (take_number(c, 2, &number) != 2)
		return false;
	return (!take(c, ':') && c->at == c->end) || take_number(c, 2, &number) == 2;
}

/* What may follow a date: nothing, or a time. */
static bool take_time(struct cursor *c, unsigned *second_of_day)
{
	unsigned hour, minute, second = 0, fraction;

	*second_of_day = 0;
	if (c->at == c->end)
		return true;
	take(c, ',');
	if (!take(c, ' ') && !take(c, 'T') && !take(c, 't'))
		return false;
	while (take(c, ' '))
		;
	if (!take_number(c, 2, &hour) || !take(c, ':') || take_number(c, 2, &minute) != 2)
		return false;
	if (take(c, ':')) {
		if (take_number(c, 2, &second) != 2)
			return false;
		if ((take(c, '.') || take(c, ',')) && !take_number(c, 9, &fraction))
			return false;
	}
	take(c, ' ');
	if (!take_half(c, &hour))
		return false;
	take(c, ' ');
	if (!take_zone(c) || c->at < c->end)
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*second_of_day = hour * 3600 + minute * 60 + second;
	return true;
}

static unsigned whole_year(unsigned digits, unsigned year)
{
	return digits > 2 ? year : year + (year >= 70 ? 1900 : 2000);
}

/* A number alone: YYYYMMDD or seconds or milliseconds since 1970. */
static bool read_digits(struct dates *d, struct text v, int64_t *value)
{
	int64_t number = 0;

	for (size_t i = 0; i < v.len; i++) {
		if (v.at[i] < '0' || v.at[i] > '9')
			return false;
		number = number * 10 + (v.at[i] - '0');
	}
	if (v.len == 8) {
		unsigned year = (unsigned)(number / 10000), month = (unsigned)(number / 100 % 100);

		if (!is_date(year, month, (unsigned)(number % 100)))
			return false;
		d->by_year++;
		*value = seconds_of(year, month, (unsigned)(number % 100));
		return true;
	}
	*value = v.len == 13 ? number / 1000 : number;
	return d->set == DATES_UNKNOWN && v.len != 11 && v.len != 12;
}

static bool read_year_first(struct dates *d, struct cursor *c, unsigned year, int64_t *value)
{
	char separator = *c->at++;
	unsigned month, day, second;

	if (!take_number(c, 2, &month) || !take(c, separator) || !take_number(c, 2, &day))
		return false;
	if (!take_time(c, &second) || !is_date(year, month, day))
		return false;
	d->by_year++;
	*value = seconds_of(year, month, day) + second;
	return true;
}

static void prove(struct dates *d, enum dates_order order, struct text v, const char *file, uint64_t line)
{
	char shown[48];

	if (d->proof[order][0] == '\0')
		snprintf(d->proof[order], sizeof d->proof[order], "%.200s:%llu '%s'", file,
			 (unsigned long long)line, fault_quote(shown, sizeof shown, v.at, v.len));
}

static bool read_year_last(struct dates *d, struct text v, struct cursor *c, unsigned a, const char *file,
			   uint64_t line, int64_t *value)
{
	char separator = *c->at++;
	unsigned b, year, digits, second;

	if (d->set == DATES_ISO || !take_number(c, 2, &b) || !take(c, separator))
		return false;
	digits = take_number(c, 4, &year);
	if ((digits != 2 && digits != 4) || !take_time(c, &second))
		return false;
	year = whole_year(digits, year);

	bool mdy = is_date(year, a, b), dmy = is_date(year, b, a);
	if (separator == '.' && d->set == DATES_UNKNOWN) {
		d->by_day += dmy;
		*value = dmy ? seconds_of(year, b, a) + second : 0;
		return dmy;
	}
	if (!(mdy && d->set != DATES_DMY) && !(dmy && d->set != DATES_MDY))
		return false;
	if (mdy != dmy)
		prove(d, mdy ? DATES_MDY : DATES_DMY, v, file, line);
	d->by_order++;
	*value = PACK(year, a, b, second);
	return true;
}

static bool read_new(struct dates *d, struct text v, const char *file, uint64_t line, int64_t *value)
{
	struct cursor c = {v.at, v.at + v.len};
	unsigned first, digits = take_number(&c, 4, &first);

	if (c.at == c.end || digits == 0)
		return false;
	if (*c.at >= '0' && *c.at <= '9')
		return v.len >= 8 && v.len <= 13 && read_digits(d, v, value);
	if (*c.at != '/' && *c.at != '-' && *c.at != '.')
		return false;
	if (digits == 4)
		return read_year_first(d, &c, first, value);
	return digits <= 2 && read_year_last(d, v, &c, first, file, line, value);
}

bool dates_init(struct dates *d, const char *format, struct fault *why)
{
	static const char *const names[] = {[DATES_MDY] = "mdy", [DATES_DMY] = "dmy", [DATES_ISO] = "iso"};

	memset(d, 0, sizeof *d);
	if (!format)
		return true;
	for (unsigned i = DATES_MDY; i <= DATES_ISO; i++) {
		if (strcmp(format, names[i]) == 0) {
			d->set = (enum dates_order)i;
			return true;
		}
	}
	return fault_set(why, "--date-format: must be mdy, dmy, iso or none, not '%.40s'", format);
}

bool dates_read(struct dates *d, struct text v, const char *file, uint64_t line, int64_t *value)
{
	if (v.len && v.len == d->last_len && memcmp(v.at, d->last, v.len) == 0) {
		*value = d->last_value;
		return true;
	}
	if (!read_new(d, v, file, line, value))
		return false;
	if (v.len <= sizeof d->last) {
		memcpy(d->last, v.at, v.len);
		d->last_len = v.len;
		d->last_value = *value;
	}
	return true;
}

bool dates_open_question(const struct dates *d)
{
	return d->set == DATES_UNKNOWN && d->by_order && !d->proof[DATES_MDY][0] && !d->proof[DATES_DMY][0];
}

bool dates_decide(const struct dates *d, enum dates_order *order, struct fault *why)
{
	bool mdy = d->proof[DATES_MDY][0] != '\0', dmy = d->proof[DATES_DMY][0] != '\0';

	if (d->set != DATES_UNKNOWN)
		*order = d->set;
	else if (!d->by_order)
		*order = DATES_ISO;
	else if (mdy && dmy)
		return fault_set(why,
				 "dates must be all m/d/Y or all d/m/Y, but %s is a date only as the one and %s only "
				 "as the other; --date-format decides",
				 d->proof[DATES_MDY], d->proof[DATES_DMY]);
	else
		*order = mdy ? DATES_MDY : dmy ? DATES_DMY : DATES_UNKNOWN;
	return true;
}

void dates_settle(int64_t *value, uint64_t n, enum dates_order order)
{
	for (uint64_t i = 0; i < n; i++) {
		int64_t v = value[i];

		if (!IS_PACKED(v))
			continue;
		unsigned a = v >> 26 & 0x3f, b = v >> 20 & 0x3f, year = v >> 32 & 0xffff;

		value[i] = order == DATES_DMY ? seconds_of(year, b, a) : seconds_of(year, a, b);
		value[i] += v & 0xfffff;
	}
}

const char *dates_format(const struct dates *d, enum dates_order order)
{
	if (d->by_order)
		return order == DATES_MDY ? "m/d/Y" : order == DATES_DMY ? "d/m/Y" : NULL;
	return d->by_year ? "ISO 8601" : d->by_day ? "d.m.Y" : "seconds since 1970";
}
