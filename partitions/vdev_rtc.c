/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev_rtc.h"

#include <stdlib.h>
#include <string.h>

#include "partitions/platform.h"

#define RTC_PORT 0x70
#define RTC_BYTES 128

#define NS_PER_SECOND UINT64_C(1000000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define CRYSTAL_HZ 32768

enum {
    RTC_SECONDS,
    RTC_SECONDS_ALARM,
    RTC_MINUTES,
    RTC_MINUTES_ALARM,
    RTC_HOURS,
    RTC_HOURS_ALARM,
    RTC_WEEKDAY,
    RTC_DAY,
    RTC_MONTH,
    RTC_YEAR,
    RTC_A,
    RTC_B,
    RTC_C,
    RTC_D,
};

#define A_UPDATING 0x80
#define A_RATE 0x0f
#define A_POWER_ON 0x26 /* the usual crystal, 1,024 Hz */
#define B_SET 0x80
#define B_BINARY 0x04
#define B_24H 0x02
/* In B: whether they interrupt. In C: that they have happened. */
#define PERIODIC 0x40
#define ALARM 0x20
#define UPDATE 0x10
#define CAUSES (PERIODIC | ALARM | UPDATE)
#define C_IRQ 0x80
#define D_VALID 0x80

#define HOUR_PM 0x80
#define ALARM_ANY 0xc0

/* An update takes 1,984 us, and is announced 244 us before. */
#define UPDATING_NS UINT64_C(2228000)

struct vdev_rtc {
    struct vdev vdev;
    uint8_t index;
    uint8_t bytes[RTC_BYTES]; /* time and date only while SET is on */
    int64_t start_seconds;    /* since 1970, at time 0 */
    uint64_t seen_seconds;    /* of simulated time: updates told of */
    uint64_t seen_periods;    /* likewise */
};

static struct vdev_rtc *from_vdev(struct vdev *vdev)
{
    return (struct vdev_rtc *)vdev;
}

/* Numbers as register B wants them. */

static uint8_t to_register(const struct vdev_rtc *rtc, int64_t number)
{
    if (rtc->bytes[RTC_B] & B_BINARY)
        return (uint8_t)number;
    return (uint8_t)(number / 10 << 4 | number % 10);
}

static int64_t from_register(const struct vdev_rtc *rtc, uint8_t value)
{
    if (rtc->bytes[RTC_B] & B_BINARY)
        return value;
    return (value >> 4) * 10 + (value & 0xf);
}

static uint8_t hour_to_register(const struct vdev_rtc *rtc, int64_t hour)
{
    if (rtc->bytes[RTC_B] & B_24H)
        return to_register(rtc, hour);
    return to_register(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

static int64_t hour_from_register(const struct vdev_rtc *rtc, uint8_t value)
{
    if (rtc->bytes[RTC_B] & B_24H)
        return from_register(rtc, value);
    return from_register(rtc, value & (uint8_t)~HOUR_PM) % 12 +
           (value & HOUR_PM ? 12 : 0);
}

/* The calendar: days since 1970-01-01 and back, by eras of 400 years that
 * begin in March, where leap days come last. */

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 -
           year_of_era / 100 + day_of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = yoe + era * 400 + (*month <= 2);
}

static int64_t rtc_now(const struct vdev_rtc *rtc, uint64_t now_ns)
{
    return rtc->start_seconds + (int64_t)(now_ns / NS_PER_SECOND);
}

static void rtc_store_time(struct vdev_rtc *rtc, int64_t now)
{
    int64_t of_day = now % SECONDS_PER_DAY;
    int64_t days = now / SECONDS_PER_DAY;
    int64_t year;
    int64_t month;
    int64_t day;

    date_of(days, &year, &month, &day);
    rtc->bytes[RTC_SECONDS] = to_register(rtc, of_day % 60);
    rtc->bytes[RTC_MINUTES] = to_register(rtc, of_day / 60 % 60);
    rtc->bytes[RTC_HOURS] = hour_to_register(rtc, of_day / 3600);
    rtc->bytes[RTC_WEEKDAY] = to_register(rtc, (days + 4) % 7 + 1);
    rtc->bytes[RTC_DAY] = to_register(rtc, day);
    rtc->bytes[RTC_MONTH] = to_register(rtc, month);
    rtc->bytes[RTC_YEAR] = to_register(rtc, year % 100);
}

/* Years 70 to 99 are of the last century, as everybody has them. What is no
 * date becomes the one that counting on would reach. */
static int64_t rtc_load_time(const struct vdev_rtc *rtc)
{
    int64_t year = from_register(rtc, rtc->bytes[RTC_YEAR]) % 100;
    int64_t month = from_register(rtc, rtc->bytes[RTC_MONTH]);

    year += year < 70 ? 2000 : 1900;
    month = (month + 11) % 12 + 1;

    int64_t days =
        days_of(year, month, from_register(rtc, rtc->bytes[RTC_DAY]));
    int64_t now = days * SECONDS_PER_DAY +
                  hour_from_register(rtc, rtc->bytes[RTC_HOURS]) * 3600 +
                  from_register(rtc, rtc->bytes[RTC_MINUTES]) * 60 +
                  from_register(rtc, rtc->bytes[RTC_SECONDS]);

    return now < 0 ? 0 : now;
}

/* Whether the alarm goes off at that second of the day. */
static bool alarm_at(const struct vdev_rtc *rtc, int64_t of_day)
{
    const uint8_t *bytes = rtc->bytes;
    const uint8_t hour = bytes[RTC_HOURS_ALARM];
    const uint8_t minute = bytes[RTC_MINUTES_ALARM];
    const uint8_t second = bytes[RTC_SECONDS_ALARM];

    return (hour >= ALARM_ANY ||
            hour == hour_to_register(rtc, of_day / 3600)) &&
           (minute >= ALARM_ANY ||
            minute == to_register(rtc, of_day / 60 % 60)) &&
           (second >= ALARM_ANY || second == to_register(rtc, of_day % 60));
}

/* How many seconds after `now` the alarm goes off next, at least 1; 0: never.
 */
static uint64_t seconds_to_alarm(const struct vdev_rtc *rtc, int64_t now)
{
    for (int64_t i = 1; i <= SECONDS_PER_DAY; i++) {
        if (alarm_at(rtc, (now + i) % SECONDS_PER_DAY))
            return (uint64_t)i;
    }
    return 0;
}

/* Ticks of the crystal in one period; 0: none is chosen. The two fastest
 * rates are those that come again further down. */
static uint64_t period_ticks(const struct vdev_rtc *rtc)
{
    unsigned rate = rtc->bytes[RTC_A] & A_RATE;

    if (rate == 0)
        return 0;
    return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t periods(const struct vdev_rtc *rtc, uint64_t now_ns)
{
    uint64_t ticks = period_ticks(rtc);

    return ticks ? vdev_ticks(now_ns, CRYSTAL_HZ) / ticks : 0;
}

static void note_updates(struct vdev_rtc *rtc, uint64_t now_ns)
{
    uint64_t seconds = now_ns / NS_PER_SECOND;
    int64_t before = rtc->start_seconds + (int64_t)rtc->seen_seconds;

    if (seconds == rtc->seen_seconds || (rtc->bytes[RTC_B] & B_SET))
        return;
    rtc->bytes[RTC_C] |= UPDATE;
    if (!(rtc->bytes[RTC_C] & ALARM)) {
        uint64_t alarm = seconds_to_alarm(rtc, before);

        if (alarm && alarm <= seconds - rtc->seen_seconds)
            rtc->bytes[RTC_C] |= ALARM;
    }
    rtc->seen_seconds = seconds;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a cause that interrupts, and has not yet, will happen. */
static uint64_t next_deadline(const struct vdev_rtc *rtc, uint64_t now_ns)
{
    uint8_t wanted = rtc->bytes[RTC_B] & (uint8_t)~rtc->bytes[RTC_C];
    uint64_t second = now_ns / NS_PER_SECOND;
    uint64_t deadline = VDEV_NEVER;

    if ((wanted & PERIODIC) && period_ticks(rtc))
        deadline = vdev_ticks_to_ns(
            (periods(rtc, now_ns) + 1) * period_ticks(rtc), CRYSTAL_HZ);
    if (rtc->bytes[RTC_B] & B_SET)
        return deadline;
    if (wanted & UPDATE)
        deadline = earlier(deadline, (second + 1) * NS_PER_SECOND);
    if (wanted & ALARM) {
        uint64_t alarm = seconds_to_alarm(rtc, rtc_now(rtc, now_ns));

        if (alarm)
            deadline = earlier(deadline, (second + alarm) * NS_PER_SECOND);
    }
    return deadline;
}

/* Brings the causes up to date, and with them the interrupt. */
static void rtc_update(struct vdev_rtc *rtc, uint64_t now_ns)
{
    if (periods(rtc, now_ns) != rtc->seen_periods) {
        rtc->seen_periods = periods(rtc, now_ns);
        rtc->bytes[RTC_C] |= PERIODIC;
    }
    note_updates(rtc, now_ns);
    rtc->vdev.deadline_ns = next_deadline(rtc, now_ns);
    vdev_set_irq(&rtc->vdev,
                 (rtc->bytes[RTC_C] & rtc->bytes[RTC_B] & CAUSES) != 0);
}

static bool is_time(unsigned index)
{
    return index <= RTC_YEAR && index != RTC_SECONDS_ALARM &&
           index != RTC_MINUTES_ALARM && index != RTC_HOURS_ALARM;
}

static uint8_t read_byte(struct vdev_rtc *rtc, uint64_t now_ns)
{
    unsigned index = rtc->index;
    bool set = rtc->bytes[RTC_B] & B_SET;
    uint8_t value = rtc->bytes[index];

    if (is_time(index) && !set) {
        rtc_store_time(rtc, rtc_now(rtc, now_ns));
        return rtc->bytes[index];
    }
    if (index == RTC_A && !set &&
        now_ns % NS_PER_SECOND >= NS_PER_SECOND - UPDATING_NS)
        return value | A_UPDATING;
    if (index == RTC_C) {
        rtc->bytes[RTC_C] = 0;
        return value | (value & rtc->bytes[RTC_B] & CAUSES ? C_IRQ : 0);
    }
    return value;
}

static void set_time(struct vdev_rtc *rtc, uint64_t now_ns)
{
    rtc->start_seconds = rtc_load_time(rtc) - (int64_t)(now_ns / NS_PER_SECOND);
    rtc->seen_seconds = now_ns / NS_PER_SECOND;
}

/* SET stops the clock's registers, and the clock goes on from what they hold
 * when it ends; it ends the update interrupt too. */
static void write_b(struct vdev_rtc *rtc, uint64_t now_ns, uint8_t value)
{
    uint8_t old = rtc->bytes[RTC_B];

    if (value & B_SET)
        value &= (uint8_t)~UPDATE;
    if (!(old & B_SET)) /* in the old format, so that it can be told apart */
        rtc_store_time(rtc, rtc_now(rtc, now_ns));
    rtc->bytes[RTC_B] = value;
    if ((old & B_SET) && !(value & B_SET))
        set_time(rtc, now_ns);
    else if (!(old & B_SET) && (value & B_SET))
        rtc_store_time(rtc, rtc_now(rtc, now_ns));
}

static void write_byte(struct vdev_rtc *rtc, uint64_t now_ns, uint8_t value)
{
    unsigned index = rtc->index;

    if (index == RTC_B) {
        write_b(rtc, now_ns, value);
        return;
    }
    if (index == RTC_C || index == RTC_D)
        return;
    if (is_time(index) && !(rtc->bytes[RTC_B] & B_SET)) {
        rtc_store_time(rtc, rtc_now(rtc, now_ns));
        rtc->bytes[index] = value;
        set_time(rtc, now_ns);
        return;
    }
    rtc->bytes[index] = index == RTC_A ? value & (uint8_t)~A_UPDATING : value;
    if (index == RTC_A)
        rtc->seen_periods = periods(rtc, now_ns);
}

static uint32_t rtc_read(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                         uint32_t bytes)
{
    struct vdev_rtc *rtc = from_vdev(vdev);
    uint32_t value;

    (void)bytes;
    if (offset == 0)
        return rtc->index;
    rtc_update(rtc, now_ns);
    value = read_byte(rtc, now_ns);
    rtc_update(rtc, now_ns);
    return value;
}

/* The index port's highest bit masks NMIs, of which there are none. */
static void rtc_write(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                      uint32_t bytes, uint32_t value)
{
    struct vdev_rtc *rtc = from_vdev(vdev);

    (void)bytes;
    if (offset == 0) {
        rtc->index = value % RTC_BYTES;
        return;
    }
    rtc_update(rtc, now_ns);
    write_byte(rtc, now_ns, (uint8_t)value);
    rtc_update(rtc, now_ns);
}

static void rtc_expire(struct vdev *vdev, uint64_t now_ns)
{
    rtc_update(from_vdev(vdev), now_ns);
}

/* The battery's time is that of the machine: each VM that is switched on sees
 * the same clock. */
static void rtc_reset(struct vdev *vdev)
{
    struct vdev_rtc *rtc = from_vdev(vdev);

    rtc->index = 0;
    memset(rtc->bytes, 0, sizeof(rtc->bytes));
    rtc->bytes[RTC_A] = A_POWER_ON;
    rtc->bytes[RTC_B] = B_24H;
    rtc->bytes[RTC_D] = D_VALID;
    rtc->start_seconds = VDEV_RTC_START_SECONDS;
    rtc->seen_seconds = 0;
    rtc->seen_periods = 0;
    rtc->vdev.irq_level = false;
    rtc->vdev.deadline_ns = VDEV_NEVER;
}

static void rtc_free(struct vdev *vdev)
{
    free(vdev);
}

static const struct vdev_ops rtc_ops = {
    .name = "MC146818A real-time clock",
    .width = 1,
    .read = rtc_read,
    .write = rtc_write,
    .expire = rtc_expire,
    .reset = rtc_reset,
    .free = rtc_free,
};

struct vdev *vdev_rtc_create(void)
{
    struct vdev_rtc *rtc = calloc(1, sizeof(*rtc));

    if (!rtc)
        return NULL;
    rtc->vdev.ops = &rtc_ops;
    rtc->vdev.ranges[0] = (struct vdev_range){VDEV_PORTS, RTC_PORT, 2};
    rtc->vdev.range_count = 1;
    rtc->vdev.gsi = PLATFORM_RTC_GSI;
    rtc_reset(&rtc->vdev);
    return &rtc->vdev;
}
