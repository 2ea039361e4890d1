/* test_list.c - the intrusive list. */
#include "suites.h"

#include "base/ensure.h"
#include "base/list.h"

struct item {
    int number;
    struct link link;
};

static int pop_number(struct link *head)
{
    struct link *link = list_pop(head);
    return link == NULL ? -1 : CONTAINER(link, struct item, link)->number;
}

START_TEST(items_come_out_in_the_order_they_went_in)
{
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    struct link head;
    list_init(&head);
    ck_assert(list_empty(&head));
    for (int i = 0; i < 3; i++) {
        list_push(&head, &items[i].link);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pop_number(&head), i);
    }
    ck_assert_int_eq(pop_number(&head), -1);
}
END_TEST

START_TEST(an_item_leaves_from_anywhere_and_twice)
{
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    struct link head;
    list_init(&head);
    for (int i = 0; i < 3; i++) {
        list_push(&head, &items[i].link);
    }
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    ck_assert_int_eq(pop_number(&head), 0);
    ck_assert_int_eq(pop_number(&head), 2);
    ck_assert(list_empty(&head));
}
END_TEST

START_TEST(a_detached_list_leaves_an_empty_one_behind)
{
    struct item items[2] = {{.number = 0}, {.number = 1}};
    struct link from;
    struct link to;
    list_init(&from);
    list_detach(&from, &to);
    ck_assert(list_empty(&to));
    list_push(&from, &items[0].link);
    list_push(&from, &items[1].link);
    list_detach(&from, &to);
    ck_assert(list_empty(&from));
    ck_assert_int_eq(pop_number(&to), 0);
    ck_assert_int_eq(pop_number(&to), 1);
    ck_assert(list_empty(&to));
}
END_TEST

START_TEST(an_all_zero_head_is_empty)
{
    struct link head = {0};
    ck_assert(list_empty(&head));
    ck_assert_ptr_null(list_pop(&head));
}
END_TEST

Suite *list_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *cases = tcase_create("list");
    tcase_add_test(cases, items_come_out_in_the_order_they_went_in);
    tcase_add_test(cases, an_item_leaves_from_anywhere_and_twice);
    tcase_add_test(cases, a_detached_list_leaves_an_empty_one_behind);
    tcase_add_test(cases, an_all_zero_head_is_empty);
    suite_add_tcase(suite, cases);
    return suite;
}
